//! What a pickle asks for, without doing any of it.
//!
//! A pickle is a program. Reading weights needs none of what it may ask Python for but the handful of names with which
//! `torch.save` writes tensors; a pickle that asks for anything else is refused by that name, before anything in it is
//! looked at.

use std::{
    collections::HashMap,
    io::{Read, Seek},
};

use crate::{Error, Result};

/// Longest pickle accepted, in bytes; that of a network with a thousand tensors is a hundredth of it.
const LONGEST: u64 = pytorch_reader::MAX_PICKLE_SIZE;

/// The first pickle of what `torch.save` wrote before 1.6: the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: &[u8] = &[0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Pickles at the beginning of such a file: magic number, version, system, tensors, names of the storages.
const LEGACY_PICKLES: usize = 5;

/// Checks every pickle of a `.pth` file: a zip archive, or pickles one after the other.
///
/// # Errors
/// [`Error::ForbiddenPickle`]; [`Error::Weights`] when the file is neither, or damaged.
pub(super) fn check(file: impl Read + Seek) -> Result<()> {
    let mut file = file;
    let mut start = [0; 30];
    let count = read_up_to(&mut file, &mut start)?;
    file.rewind().map_err(unreadable)?;
    if start[..count].starts_with(b"PK\x03\x04") {
        return check_zip(file, u16::from_le_bytes([start[26], start[27]]));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    let mut rest = bytes.as_slice();
    let pickles = if rest.get(2..2 + LEGACY_MAGIC.len()) == Some(LEGACY_MAGIC) { LEGACY_PICKLES } else { 1 };
    for _ in 0..pickles {
        rest = scan(rest)?;
    }
    Ok(())
}

/// Fills as much of `buffer` as there is.
fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read(&mut buffer[count..]).map_err(unreadable)? {
            0 => break,
            read => count += read,
        }
    }
    Ok(count)
}

/// Checks an archive whose first name has so many characters.
fn check_zip(file: impl Read + Seek, first_name: u16) -> Result<()> {
    /// With names of this length, the second one stands where the reader of archives takes the first to be; so do the names
    /// that `torch.save` writes into files whose own name has 21 characters.
    const CONFUSING: u16 = 30;

    let damaged = |e: zip::result::ZipError| refused(format!("not a whole zip archive ({e})"));
    let mut archive = zip::ZipArchive::new(file).map_err(|e| match first_name {
        CONFUSING => refused(format!(
            "not a whole zip archive, or one that cannot be read because the name it was saved under has 21 characters \
             before .pth: save it under another ({e})"
        )),
        _ => damaged(e),
    })?;
    let names = archive.file_names().map(|name| name.map(String::from)).collect::<std::result::Result<Vec<_>, _>>();
    let names = names.map_err(damaged)?;
    if names.iter().any(|name| name.ends_with("constants.pkl") || name.contains("/code/")) {
        return Err(refused("it is a TorchScript program (expected a state dictionary)"));
    }
    let pickles: Vec<_> = names.iter().filter(|name| name.ends_with(".pkl")).collect();
    if pickles.is_empty() {
        return Err(refused("the zip archive holds no data.pkl, so that torch.save did not write it"));
    }
    for name in pickles {
        let mut bytes = Vec::new();
        let entry = archive.by_name(name).map_err(damaged)?;
        // What the archive says of the length is not believed.
        entry.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LONGEST {
            return Err(refused(format!("{name} is longer than {LONGEST} bytes")));
        }
        scan(&bytes)?;
    }
    Ok(())
}

fn refused(reason: impl Into<String>) -> Error {
    Error::Weights { reason: reason.into() }
}

fn unreadable(e: std::io::Error) -> Error {
    refused(e.to_string())
}

/// Whether `torch.save` writes that name for tensors.
fn harmless(module: &str, name: &str) -> bool {
    match module {
        "collections" => name == "OrderedDict",
        "torch._utils" => {
            matches!(name, "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3" | "_rebuild_parameter")
        }
        "torch.nn.parameter" => name == "Parameter",
        "torch.storage" => matches!(name, "UntypedStorage" | "TypedStorage"),
        "torch" => {
            let kinds = ["Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"];
            let dtypes =
                ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"];
            let storage = name.strip_suffix("Storage").is_some_and(|kind| kinds.contains(&kind));
            storage || dtypes.contains(&name) || name == "Size"
        }
        _ => false,
    }
}

fn allow(module: &str, name: &str) -> Result<()> {
    if harmless(module, name) { Ok(()) } else { Err(Error::ForbiddenPickle { name: format!("{module}.{name}") }) }
}

/// Walks over one pickle and checks the names it asks for; returns what follows it.
fn scan(bytes: &[u8]) -> Result<&[u8]> {
    let mut rest = Bytes(bytes);
    // The texts that were pushed last, for names that are taken from the stack; `None` is anything else.
    let mut last: [Option<String>; 2] = [None, None];
    let mut memo: HashMap<u32, String> = HashMap::new();
    // How many values were remembered by position.
    let mut memorized = 0;
    loop {
        let code = rest.take(1)?[0];
        let pushed = match code {
            b'.' => return Ok(rest.0),
            // A global: two lines.
            b'c' | b'i' => {
                let (module, name) = (rest.line()?, rest.line()?);
                allow(&module, &name)?;
                None
            }
            // A global whose names lie on the stack.
            0x93 => {
                let [Some(module), Some(name)] = &last else {
                    return Err(Error::ForbiddenPickle { name: "a name that it computes".into() });
                };
                allow(module, name)?;
                None
            }
            0x82..=0x84 => return Err(Error::ForbiddenPickle { name: "Python's extension registry".into() }),
            // Texts.
            b'S' | b'V' => Some(rest.line()?.trim_matches(['\'', '"']).to_owned()),
            b'X' | b'T' => Some(rest.text(4)?),
            0x8c | b'U' => Some(rest.text(1)?),
            0x8d => Some(rest.text(8)?),
            // Remembering the top of the stack, which it stays.
            b'p' | b'q' | b'r' | 0x94 => {
                let index = match code {
                    b'p' => rest.line()?.parse().map_err(|_| damaged("a memo's number"))?,
                    b'q' => rest.number(1)? as u32,
                    b'r' => rest.number(4)? as u32,
                    _ => memorized,
                };
                memorized += 1;
                match &last[1] {
                    Some(text) => memo.insert(index, text.clone()),
                    None => memo.remove(&index),
                };
                continue;
            }
            // Getting it back.
            b'g' => memo.get(&rest.line()?.parse().map_err(|_| damaged("a memo's number"))?).cloned(),
            b'h' => memo.get(&(rest.number(1)? as u32)).cloned(),
            b'j' => memo.get(&(rest.number(4)? as u32)).cloned(),
            // Framing, which changes nothing.
            0x80 => {
                rest.take(1)?;
                continue;
            }
            0x95 => {
                rest.take(8)?;
                continue;
            }
            // Anything else is neither a text nor a name; only its length matters.
            b'K' => rest.skip(1)?,
            b'M' => rest.skip(2)?,
            b'J' => rest.skip(4)?,
            b'G' => rest.skip(8)?,
            b'F' | b'I' | b'L' | b'P' => {
                rest.line()?;
                None
            }
            b'C' | 0x8a => rest.skip_counted(1)?,
            b'B' | 0x8b => rest.skip_counted(4)?,
            0x8e | 0x96 => rest.skip_counted(8)?,
            b'('
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'R'
            | b'a'
            | b'b'
            | b'd'
            | b'}'
            | b'e'
            | b'l'
            | b']'
            | b's'
            | b't'
            | b')'
            | b'u'
            | b'Q'
            | b'o'
            | 0x81
            | 0x85..=0x89
            | 0x8f..=0x92
            | 0x97
            | 0x98 => None,
            other => {
                return Err(refused(format!("neither a zip archive nor a pickle (no pickle has the code {other})")));
            }
        };
        let [_, second] = last;
        last = [second, pushed];
    }
}

fn damaged(what: &str) -> Error {
    refused(format!("the pickle is damaged: {what} is missing or wrong"))
}

/// The bytes of a pickle that were not looked at yet.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| refused("the pickle ends too early".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Up to the end of the line, without it.
    fn line(&mut self) -> Result<String> {
        let end = self.0.iter().position(|&b| b == b'\n').ok_or_else(|| damaged("the end of a line"))?;
        let line = self.take(end + 1)?;
        Ok(String::from_utf8_lossy(line[..end].trim_ascii_end()).into_owned())
    }

    /// A little-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    }

    /// A text behind its length, which has so many bytes.
    fn text(&mut self, bytes: usize) -> Result<String> {
        let count = usize::try_from(self.number(bytes)?).map_err(|_| damaged("a length"))?;
        Ok(String::from_utf8_lossy(self.take(count)?).into_owned())
    }

    fn skip<T>(&mut self, count: usize) -> Result<Option<T>> {
        self.take(count).map(|_| None)
    }

    fn skip_counted<T>(&mut self, bytes: usize) -> Result<Option<T>> {
        let count = usize::try_from(self.number(bytes)?).map_err(|_| damaged("a length"))?;
        self.skip(count)
    }
}
