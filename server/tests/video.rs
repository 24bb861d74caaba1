//! Frames of a video one by one and one alone.

mod common;

use common::{ffmpeg, temp};
use steadymask_server::source::Source;

#[test]
fn a_frame_alone_is_the_frame_in_its_turn() {
    let folder = temp();
    let path = folder.path();
    let clips = [
        ("reordered.mp4", "-f lavfi -i testsrc2=s=64x48:r=10:d=4 -c:v libx264 -bf 3 -g 12"),
        ("late.ts", "-f lavfi -i testsrc2=s=64x48:r=10:d=4 -c:v libx264 -g 12 -output_ts_offset 7"),
        ("cut.mp4", "-ss 1.25 -i reordered.mp4 -c copy"),
        ("varying.mkv", "-f lavfi -i testsrc2=s=64x48:r=10:d=4 -vf select='gt(mod(n,3),0)' -fps_mode vfr"),
        ("odd.webm", "-f lavfi -i testsrc2=s=65x47:r=10:d=4 -c:v libvpx-vp9"),
        ("animated.gif", "-f lavfi -i testsrc2=s=64x48:r=10:d=2"),
        ("stream.h264", "-i reordered.mp4 -c copy"),
    ];
    for (name, arguments) in clips {
        ffmpeg(path, &format!("{arguments} {name}"));
        let source = Source::open(&path.join(name)).expect("video");
        let frames: Vec<_> = source.read().expect("decoder").map(|frame| frame.expect("frame")).collect();
        assert_eq!(frames.len(), source.frames(), "{name}");
        assert!(frames.first() != frames.last(), "{name} moves");
        for index in [0, 1, frames.len() / 2, frames.len() - 1] {
            let alone = source.frame(index).unwrap_or_else(|e| panic!("{name}, frame {index}: {e}"));
            assert!(alone == frames[index], "{name}, frame {index}");
        }
        assert!(source.frame(frames.len()).is_err(), "{name}");
    }
}
