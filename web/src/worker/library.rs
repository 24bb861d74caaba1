//! The networks that this browser keeps, by the SHA-256 of their files, and how others come here.
//!
//! They lie in the page's Cache Storage. A file that is fetched piece by piece is kept piece by piece, so that a
//! download that was cut goes on where it was.

use js_sys::{Array, Uint8Array, decode_uri_component, encode_uri_component};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Cache, Crypto, Headers, ReadableStreamDefaultReader, Request, RequestInit, Response, ResponseInit,
    WorkerGlobalScope,
};

use super::scope;
use crate::{
    engine::protocol::{Failure, FailureCode, Kept},
    media::failure_of,
};

/// Most bytes that a file of weights may have here: WebAssembly has 4 GiB for everything.
pub const LARGEST: u64 = 1 << 30;
/// Bytes that are asked for at once.
const PIECE: u64 = 4 << 20;
/// Name of the cache.
const CACHE: &str = "networks";
/// What keys in the cache begin with. They must be addresses; no host has this one (RFC 2606).
const KEPT: &str = "https://networks.invalid/kept/";
const PIECES: &str = "https://networks.invalid/pieces/";
const NAME: &str = "x-name";
const SIZE: &str = "x-size";
const ADDRESS: &str = "x-address";
const VERSION: &str = "x-version";

/// Told how many bytes have come, and of how many; says whether to stop.
pub trait Watch: AsyncFnMut(u64, Option<u64>) -> bool {}
impl<F: AsyncFnMut(u64, Option<u64>) -> bool> Watch for F {}

/// A file that came here. Its bytes lie outside of WebAssembly's memory.
pub struct File {
    pub name: String,
    pub bytes: Uint8Array,
    /// Where from, and which state of it, if its host tells that.
    pub origin: Option<(String, Option<String>)>,
    /// Under which SHA-256 it is kept already.
    pub sha256: Option<String>,
}

/// The kept networks; where the browser keeps nothing for this page, there are never any.
pub struct Library(Option<Cache>);

impl Library {
    /// Pages that came over plain http from another machine, and some private windows, may keep nothing.
    pub async fn open() -> Self {
        let storage = scope().caches().ok().filter(|storage| storage.is_object());
        let Some(storage) = storage else { return Self(None) };
        Self(JsFuture::from(storage.open(CACHE)).await.ok().map(JsCast::unchecked_into))
    }

    /// Every network that is kept, in the order in which they came.
    pub async fn list(&self) -> Vec<Kept> {
        let mut all = Vec::new();
        for key in self.keys(KEPT).await {
            let Some(response) = self.get(&key).await else { continue };
            let header = |name: &str| response.headers().get(name).ok().flatten();
            if let (Some(name), Some(size)) = (header(NAME), header(SIZE).and_then(|size| size.parse().ok())) {
                all.push(Kept { sha256: key[KEPT.len()..].to_owned(), name: decoded(&name), size });
            }
        }
        all
    }

    /// The network of this SHA-256.
    ///
    /// # Errors
    /// [`FailureCode::Network`] when it is not kept here.
    pub async fn find(&self, sha256: &str) -> Result<File, Failure> {
        match self.get(&format!("{KEPT}{sha256}")).await {
            Some(response) => file_of(&response, sha256).await,
            None => {
                Err(refused(format!("This browser keeps no network with the SHA-256 {sha256}: open its file again")))
            }
        }
    }

    /// Keeps a network that is not kept yet; its SHA-256, or `None` where nothing is kept.
    ///
    /// # Errors
    /// In the browser's words, such as that there is no room.
    pub async fn keep(&self, file: &File) -> Result<Option<String>, Failure> {
        if file.sha256.is_some() {
            return Ok(file.sha256.clone());
        }
        let Some(cache) = &self.0 else { return Ok(None) };
        let digest =
            crypto()?.subtle().digest_with_str_and_buffer_source("SHA-256", &file.bytes).map_err(failure_of)?;
        let digest = Uint8Array::new(&JsFuture::from(digest).await.map_err(failure_of)?).to_vec();
        let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = Headers::new().map_err(failure_of)?;
        headers.set(NAME, &encoded(&file.name)).map_err(failure_of)?;
        headers.set(SIZE, &file.bytes.length().to_string()).map_err(failure_of)?;
        if let Some((address, version)) = &file.origin {
            headers.set(ADDRESS, &encoded(address)).map_err(failure_of)?;
            headers.set(VERSION, &encoded(version.as_deref().unwrap_or_default())).map_err(failure_of)?;
        }
        put(cache, &format!("{KEPT}{sha256}"), &file.bytes, &headers).await?;
        if let Some((address, _)) = &file.origin {
            self.forget_all(&pieces_of(address)).await;
        }
        Ok(Some(sha256))
    }

    /// Keeps the network of this SHA-256 no longer.
    pub async fn forget(&self, sha256: &str) {
        self.forget_all(&format!("{KEPT}{sha256}")).await;
    }

    /// Fetches the file at `address`, by pieces where its host gives pieces, unless that very state of it is kept. A
    /// kept one will do, too, where there is no answer. `None` when `watch` says to stop.
    ///
    /// # Errors
    /// [`FailureCode::Network`].
    pub async fn fetch(&self, address: &str, mut watch: impl Watch) -> Result<Option<File>, Failure> {
        let first = match get(address, Some((0, 0))).await {
            Ok(first) => first,
            Err(failure) => return self.of_address(address, None).await.map(Some).ok_or(failure),
        };
        let version = version_of(&first);
        if let Some(version) = &version
            && let Some(kept) = self.of_address(address, Some(version)).await
        {
            return Ok(Some(kept));
        }
        let total = first.headers().get("content-range").ok().flatten();
        let total = total.and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let bytes = match (first.status(), total) {
            (206, Some(total)) => self.pieces(address, total, version.as_deref(), &mut watch).await?,
            // The host does not tell other sites how long the file is.
            (206, None) => whole(get(address, None).await?, &mut watch).await?,
            _ => whole(first, &mut watch).await?,
        };
        let name = stem(address.split(['?', '#']).next().unwrap_or(address));
        Ok(bytes.map(|bytes| File { name, bytes, origin: Some((address.to_owned(), version)), sha256: None }))
    }

    async fn pieces(
        &self,
        address: &str,
        total: u64,
        version: Option<&str>,
        watch: &mut impl Watch,
    ) -> Result<Option<Uint8Array>, Failure> {
        check_size(total)?;
        // A file that does not say which state it is in may be another one tomorrow: its pieces are not kept.
        let folder = version.map(|version| format!("{}{}/", pieces_of(address), encoded(version)));
        for key in self.keys(&pieces_of(address)).await {
            if folder.as_ref().is_none_or(|folder| !key.starts_with(folder)) {
                self.forget_all(&key).await;
            }
        }
        let bytes = Uint8Array::new_with_length(total as u32);
        for start in (0..total).step_by(PIECE as usize) {
            let end = (start + PIECE).min(total);
            let key = folder.as_ref().map(|folder| format!("{folder}{start}-{end}"));
            let kept = match &key {
                Some(key) => self.get(key).await,
                None => None,
            };
            let piece = match kept {
                Some(kept) => body(&kept).await?,
                None => {
                    let response = get(address, Some((start, end - 1))).await?;
                    if response.status() != 206 || version_of(&response).as_deref() != version {
                        return Err(refused(format!("{address} changed while it was fetched: try again")));
                    }
                    let piece = body(&response).await?;
                    if u64::from(piece.length()) != end - start {
                        let (got, asked) = (piece.length(), end - start);
                        let reason = format!("{address}: {got} bytes came where {asked} were asked for: try again");
                        return Err(refused(reason));
                    }
                    if let (Some(cache), Some(key)) = (&self.0, &key) {
                        let headers = Headers::new().map_err(failure_of)?;
                        put(cache, key, &piece, &headers).await?;
                    }
                    piece
                }
            };
            bytes.set(&piece, start as u32);
            if watch(end, Some(total)).await {
                return Ok(None);
            }
        }
        Ok(Some(bytes))
    }

    /// What was fetched from `address` last, in that state of it or, for `None`, in any.
    async fn of_address(&self, address: &str, version: Option<&str>) -> Option<File> {
        for key in self.keys(KEPT).await.iter().rev() {
            let response = self.get(key).await?;
            let is = |name: &str, value: &str| {
                response.headers().get(name).ok().flatten().is_some_and(|kept| decoded(&kept) == value)
            };
            if is(ADDRESS, address) && version.is_none_or(|version| is(VERSION, version)) {
                return file_of(&response, &key[KEPT.len()..]).await.ok();
            }
        }
        None
    }

    /// All keys that begin so.
    async fn keys(&self, start: &str) -> Vec<String> {
        let Some(cache) = &self.0 else { return Vec::new() };
        let Ok(keys) = JsFuture::from(cache.keys()).await else { return Vec::new() };
        let keys = keys.unchecked_into::<Array>();
        keys.iter().map(|key| key.unchecked_into::<Request>().url()).filter(|key| key.starts_with(start)).collect()
    }

    async fn get(&self, key: &str) -> Option<Response> {
        let found = JsFuture::from(self.0.as_ref()?.match_with_str(key)).await.ok()?;
        found.dyn_into().ok()
    }

    async fn forget_all(&self, start: &str) {
        for key in self.keys(start).await {
            if let Some(cache) = &self.0 {
                // What could not be forgotten stays in the list, for all to see.
                _ = JsFuture::from(cache.delete_with_str(&key)).await;
            }
        }
    }
}

/// The name of a file without folder and ending.
pub fn stem(path: &str) -> String {
    let name = decoded(path.rsplit('/').next().unwrap_or(path));
    name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned()
}

/// Whether there is room for a file of `size` bytes.
///
/// # Errors
/// [`FailureCode::Network`].
pub fn check_size(size: u64) -> Result<(), Failure> {
    if size > LARGEST {
        return Err(refused(format!("The file has {size} bytes (expected at most {LARGEST})")));
    }
    Ok(())
}

fn refused(message: String) -> Failure {
    Failure::new(FailureCode::Network, message)
}

fn pieces_of(address: &str) -> String {
    format!("{PIECES}{}/", encoded(address))
}

fn encoded(text: &str) -> String {
    encode_uri_component(text).into()
}

fn decoded(text: &str) -> String {
    decode_uri_component(text).map_or_else(|_| text.to_owned(), Into::into)
}

fn crypto() -> Result<Crypto, Failure> {
    scope().unchecked_into::<WorkerGlobalScope>().crypto().map_err(failure_of)
}

/// Which state of a file an answer is of.
fn version_of(response: &Response) -> Option<String> {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    header("etag").or_else(|| header("last-modified"))
}

/// Asks for `address`, or of it for the bytes from the first to the last of `range`.
async fn get(address: &str, range: Option<(u64, u64)>) -> Result<Response, Failure> {
    let not_fetched = |reason: String| refused(format!("{address} could not be fetched: {reason}"));
    let options = RequestInit::new();
    if let Some((first, last)) = range {
        let headers = Headers::new().map_err(failure_of)?;
        headers.set("range", &format!("bytes={first}-{last}")).map_err(failure_of)?;
        options.set_headers(&headers);
    }
    let request = Request::new_with_str_and_init(address, &options).map_err(|e| not_fetched(failure_of(e).message))?;
    let response = JsFuture::from(scope().fetch_with_request(&request)).await;
    let response: Response = response.map_err(|e| not_fetched(failure_of(e).message))?.unchecked_into();
    if !response.ok() {
        return Err(not_fetched(format!("{} {}", response.status(), response.status_text()).trim().to_owned()));
    }
    Ok(response)
}

/// Reads an answer to its end.
async fn whole(response: Response, watch: &mut impl Watch) -> Result<Option<Uint8Array>, Failure> {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    // The length of a body that was compressed on the way is not that of the file.
    let packed = header("content-encoding").is_some();
    let total = header("content-length").filter(|_| !packed).and_then(|length| length.parse().ok());
    let (mut chunks, mut done) = (Vec::new(), 0u32);
    let Some(stream) = response.body() else { return Ok(Some(Uint8Array::new_with_length(0))) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(|e| refused(failure_of(e).message))?;
        let property = |name: &str| js_sys::Reflect::get(&chunk, &name.into()).map_err(failure_of);
        if property("done")?.is_truthy() {
            let bytes = Uint8Array::new_with_length(done);
            chunks.iter().fold(0, |start, chunk: &Uint8Array| {
                bytes.set(chunk, start);
                start + chunk.length()
            });
            return Ok(Some(bytes));
        }
        let chunk: Uint8Array = property("value")?.unchecked_into();
        check_size(u64::from(done) + u64::from(chunk.length()))?;
        done += chunk.length();
        chunks.push(chunk);
        if watch(done.into(), total).await {
            // Nobody waits for the answer of a cancellation.
            _ = reader.cancel();
            return Ok(None);
        }
    }
}

async fn body(response: &Response) -> Result<Uint8Array, Failure> {
    let buffer = response.array_buffer().map_err(failure_of)?;
    let buffer = JsFuture::from(buffer).await.map_err(|e| refused(failure_of(e).message))?;
    Ok(Uint8Array::new(&buffer))
}

/// The file that is kept under that SHA-256.
async fn file_of(response: &Response, sha256: &str) -> Result<File, Failure> {
    let name = response.headers().get(NAME).ok().flatten().map_or_else(String::new, |name| decoded(&name));
    Ok(File { name, bytes: body(response).await?, origin: None, sha256: Some(sha256.to_owned()) })
}

async fn put(cache: &Cache, key: &str, bytes: &Uint8Array, headers: &Headers) -> Result<(), Failure> {
    let options = ResponseInit::new();
    options.set_headers(headers);
    let response = Response::new_with_opt_buffer_source_and_init(Some(bytes), &options).map_err(failure_of)?;
    JsFuture::from(cache.put_with_str(key, &response)).await.map_err(failure_of)?;
    Ok(())
}
