use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use crate::{Error, Result};

/// The floating-point tensors of a file, by name, widened to 32 bits.
///
/// Integer tensors (torchvision's counters `num_batches_tracked`) play no part in inference and are left out.
pub(crate) struct StateDict {
    tensors: BTreeMap<String, Array>,
}

/// A tensor: its shape, and its values in row-major order.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl StateDict {
    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// [`Error::Weights`] when they are damaged, or of a type that no weights come in.
    pub(crate) fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| Error::Weights { reason: format!("not a whole safetensors file ({e})") })?;
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
        Ok(Self { tensors })
    }

    /// Reads a state dictionary as `torch.save` writes it (`.pth`, `.pt`).
    ///
    /// # Errors
    /// [`Error::Weights`] when the file cannot be read, is damaged, or is of a type that no weights come in.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn from_pytorch(path: &std::path::Path) -> Result<Self> {
        use pytorch_reader::DType;

        let unreadable = |e: &dyn std::fmt::Display| Error::Weights { reason: format!("{}: {e}", path.display()) };
        let file = pytorch_reader::PytorchReader::new(path).map_err(|e| unreadable(&e))?;
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
        Ok(Self { tensors })
    }

    /// The tensor of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Array> {
        self.tensors.get(name)
    }

    /// All names, in alphabetical order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
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
