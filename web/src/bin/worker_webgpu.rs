//! The worker whose network runs on WebGPU: ten times as large, so fetched only where there is an adapter.

fn main() {
    steadymask_web::worker::start();
}
