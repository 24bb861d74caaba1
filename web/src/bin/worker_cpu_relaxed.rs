//! The worker whose network runs on the processor, where the browser has relaxed SIMD.

fn main() {
    steadymask_web::worker::start();
}
