use std::{fs, time::Instant};
use steadymask_core::{*, filter::{Consensus, TemporalFilter}};
const W: usize = 428; const H: usize = 240; const PX: usize = W * H;
fn main() {
    let d = fs::read("/tmp/lab/data/dog.raw").unwrap(); let n = 60; let mut o = 4;
    let (mut rgb, mut p) = (vec![], vec![]);
    for _ in 0..n { rgb.push(Plane::from_rgb_bytes(W, H, &d[o..o + 3 * PX]).unwrap()); o += 3 * PX; p.push(Plane::from_vec(W, H, d[o..o + PX].to_vec()).unwrap()); o += 4 * PX; }
    for la in [LookAhead::All(All::All), LookAhead::Frames(36)] {
        let frames = if la == LookAhead::Frames(36) { 60 } else { 12 };
        let run = || { let t = Instant::now(); let mut est = MotionEstimator::new(25.0); let mut f = Consensus::new(0.97, la, 0);
            for i in 0..frames { f.show(&rgb[i]); let m = est.push(rgb[i].clone()).map(Into::into); f.push(&[p[i].clone()], m.as_ref()); } f.finish(); t.elapsed().as_secs_f64() / frames as f64 * 1e3 };
        let pools: Vec<_> = [1, 2].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap()).into();
        let mut best = [f64::MAX; 2];
        for _ in 0..(600 / frames) { for k in 0..2 { best[k] = best[k].min(pools[k].install(run)); } }
        print!("{la:?}: {:.2} {:.2} ratio {:.2}   ", best[0], best[1], best[0] / best[1]);
    }
    println!();
}
