use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use crate::{Error, Result};

/// The floating-point tensors of a file, by name, widened to 32 bits.
///
/// Integer tensors (torchvision's counters `num_batches_tracked`) play no part in inference and are left out.
#[derive(Clone)]
pub(crate) struct StateDict {
    tensors: BTreeMap<String, Array>,
    /// What a safetensors file says beside its tensors.
    remarks: BTreeMap<String, String>,
}

/// A tensor: its shape, and its values in row-major order.
#[derive(Clone)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// Most bytes that a file of weights may have, or its tensors may take: several times the largest network known.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const LARGEST: u64 = 2 << 30;

impl StateDict {
    /// Reads a file of weights: safetensors, or what `torch.save` wrote. Which it is, its first bytes tell.
    ///
    /// # Errors
    /// [`Error::Weights`] when the file cannot be read, is damaged, too large, or of a type that no weights come in;
    /// [`Error::ForbiddenPickle`].
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn from_file(path: &std::path::Path) -> Result<Self> {
        use std::io::{Read, Seek};

        let unreadable = |e: std::io::Error| Error::Weights { reason: e.to_string() };
        let mut file = std::fs::File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Error::Weights { reason: "it is no file".into() });
        }
        if metadata.len() > LARGEST {
            let reason = format!("it has {} bytes (expected at most {LARGEST})", metadata.len());
            return Err(Error::Weights { reason });
        }
        let mut start = Vec::new();
        (&mut file).take(9).read_to_end(&mut start).map_err(unreadable)?;
        if start.is_empty() {
            return Err(Error::Weights { reason: "it is empty".into() });
        }
        file.rewind().map_err(unreadable)?;
        // The length of the header, and its first character.
        if start.get(8) == Some(&b'{') {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(unreadable)?;
            return Self::from_safetensors(&bytes);
        }
        super::pickle::check(std::io::BufReader::new(file))?;
        Self::from_pytorch(path)
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// [`Error::Weights`] when they are damaged, or of a type that no weights come in.
    pub(crate) fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let damaged = |e| Error::Weights { reason: format!("not a whole safetensors file ({e})") };
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let remarks = header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let values = match view.dtype() {
                Dtype::F16 => values(view.data(), half::f16::from_le_bytes, half::f16::to_f32),
                Dtype::BF16 => values(view.data(), half::bf16::from_le_bytes, half::bf16::to_f32),
                Dtype::F32 => values(view.data(), f32::from_le_bytes, |v| v),
                Dtype::F64 => values(view.data(), f64::from_le_bytes, |v| v as f32),
                Dtype::I64 | Dtype::I32 => continue,
                other => return Err(unusable_type(name, other)),
            };
            tensors.insert(name.to_owned(), Array { shape: view.shape().to_vec(), values });
        }
        Ok(Self { tensors, remarks })
    }

    /// Reads a state dictionary as `torch.save` writes it, after its pickles were checked.
    #[cfg(not(target_arch = "wasm32"))]
    fn from_pytorch(path: &std::path::Path) -> Result<Self> {
        use pytorch_reader::DType;

        let unreadable = |e: &dyn std::fmt::Display| Error::Weights { reason: e.to_string() };
        let file = pytorch_reader::PytorchReader::new(path).map_err(|e| unreadable(&e))?;
        // Views of one storage can take far more room than the file.
        let total = file.tensors().values().fold(0u64, |sum, tensor| sum.saturating_add(tensor.byte_len() as u64));
        if total > LARGEST {
            let reason = format!("its tensors would take {total} bytes (expected at most {LARGEST})");
            return Err(Error::Weights { reason });
        }
        let mut tensors = BTreeMap::new();
        for (name, tensor) in file.into_tensors() {
            let dtype = tensor.dtype();
            if matches!(dtype, DType::I64 | DType::I32) {
                continue;
            }
            let bytes = tensor.read().map_err(|e| unreadable(&e))?;
            // The reader gives the machine's own byte order.
            let values = match dtype {
                DType::F16 => values(&bytes, half::f16::from_ne_bytes, half::f16::to_f32),
                DType::BF16 => values(&bytes, half::bf16::from_ne_bytes, half::bf16::to_f32),
                DType::F32 => values(&bytes, f32::from_ne_bytes, |v| v),
                DType::F64 => values(&bytes, f64::from_ne_bytes, |v| v as f32),
                other => return Err(unusable_type(&name, other)),
            };
            tensors.insert(name, Array { shape: tensor.shape().to_vec(), values });
        }
        Ok(Self { tensors, remarks: BTreeMap::new() })
    }

    /// The tensor of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Array> {
        self.tensors.get(name)
    }

    /// The tensor of that name, to be changed.
    #[cfg(feature = "train")]
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Array> {
        self.tensors.get_mut(name)
    }

    /// All tensors, in alphabetical order of their names.
    #[cfg(feature = "train")]
    pub(crate) fn arrays(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.tensors.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Gives every tensor another name.
    #[cfg(feature = "train")]
    pub(crate) fn rename(&mut self, name: impl Fn(&str) -> String) {
        self.tensors = std::mem::take(&mut self.tensors).into_iter().map(|(old, array)| (name(&old), array)).collect();
    }

    /// Puts a tensor in the place of the one of that name.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn set(&mut self, name: String, array: Array) {
        self.tensors.insert(name, array);
    }

    /// Leaves only the tensors whose names begin so.
    #[cfg(all(feature = "embedded", not(target_arch = "wasm32")))]
    pub(crate) fn retain(&mut self, prefix: &str) {
        self.tensors.retain(|name, _| name.starts_with(prefix));
    }

    /// What the file says under that name.
    pub(crate) fn remark(&self, key: &str) -> Option<&str> {
        self.remarks.get(key).map(String::as_str)
    }

    /// All names, in alphabetical order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Leaves only the tensors whose names begin with `prefix`, without it; returns how many others there were.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn descend(&mut self, prefix: &str) -> usize {
        let all = std::mem::take(&mut self.tensors);
        let before = all.len();
        let inside = |(name, array): (String, Array)| Some((name.strip_prefix(prefix)?.to_owned(), array));
        self.tensors = all.into_iter().filter_map(inside).collect();
        before - self.tensors.len()
    }

    /// The first tensor with a number that is infinite or none at all, and how many such it has.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn not_finite(&self) -> Option<(&str, usize)> {
        self.tensors.iter().find_map(|(name, array)| {
            let count = array.values.iter().filter(|value| !value.is_finite()).count();
            (count > 0).then_some((name.as_str(), count))
        })
    }

    /// The bytes of a safetensors file of 32-bit floats, with this remark in its header. (With several, their order would
    /// change from run to run.)
    ///
    /// # Errors
    /// [`Error::Weights`] when there are no tensors of sound shapes.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn to_safetensors(&self, remark: (&str, &str)) -> Result<Vec<u8>> {
        self.serialized(Dtype::F32, remark, |v| v.to_le_bytes().to_vec())
    }

    /// The same of 16-bit floats, to which the weights are rounded.
    #[cfg(feature = "train")]
    pub(crate) fn to_half_safetensors(&self, remark: (&str, &str)) -> Result<Vec<u8>> {
        self.serialized(Dtype::F16, remark, |v| half::f16::from_f32(v).to_le_bytes().to_vec())
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn serialized(&self, dtype: Dtype, (key, remark): (&str, &str), write: fn(f32) -> Vec<u8>) -> Result<Vec<u8>> {
        let unwritable = |e: safetensors::SafeTensorError| Error::Weights { reason: e.to_string() };
        let bytes: Vec<(&String, &Array, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, array)| (name, array, array.values.iter().flat_map(|&v| write(v)).collect()))
            .collect();
        let views = bytes
            .iter()
            .map(|(name, array, bytes)| {
                let view = safetensors::tensor::TensorView::new(dtype, array.shape.clone(), bytes);
                Ok((name.as_str(), view.map_err(unwritable)?))
            })
            .collect::<Result<Vec<_>>>()?;
        let remarks = std::iter::once((key.to_owned(), remark.to_owned())).collect();
        safetensors::serialize(views, Some(remarks)).map_err(unwritable)
    }

    /// How many tensors there are.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn len(&self) -> usize {
        self.tensors.len()
    }

    /// How many numbers were learned: all but the statistics that batch norms keep.
    pub(crate) fn parameters(&self) -> usize {
        let learned = self.tensors.iter().filter(|(name, _)| !name.contains(".running_"));
        learned.map(|(_, array)| array.values.len()).sum()
    }
}

/// The values of a tensor's bytes, `N` bytes each.
fn values<T, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> T, widen: impl Fn(T) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| widen(read(chunk))).collect()
}

fn unusable_type(name: &str, dtype: impl std::fmt::Debug) -> Error {
    Error::Weights { reason: format!("the tensor {name} is of type {dtype:?} (expected F16, BF16, F32 or F64)") }
}
