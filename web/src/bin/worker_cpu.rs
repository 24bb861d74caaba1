//! The worker whose network runs on the processor.

fn main() {
    steadymask_web::worker::start();
}
