//! The proposal: what is tried, on which frames, and that what is told of it is what a run would give.
#![cfg(not(target_arch = "wasm32"))]

mod synthetic;

use steadymask_core::{
    Error, Method, Plane, Rgb, Settings, Stabilizer,
    auto::{Candidate, Proposal, Reason, STRETCH_FRAMES, STRETCHES, Trial, candidates, stretches},
    metric::SummaryMetrics,
};
use synthetic::{CUT, FRAMES, HEIGHT, WIDTH, clip};

type Frame = (Plane<Rgb>, Vec<Plane<u8>>);

fn auto() -> Settings {
    Settings { method: Method::Auto, ..Settings::default() }
}

/// A proposal from the frames of these numbers.
fn propose(settings: &Settings, frames: impl IntoIterator<Item = usize>, clip: &[Frame]) -> Proposal {
    let clock = || 0.0;
    let mut trial = Trial::new(settings, WIDTH, HEIGHT, clip[0].1.len()).expect("good settings");
    for index in frames {
        trial.push(index, clip[index].0.clone(), &clip[index].1, &clock).expect("good input");
    }
    trial.finish(&clock)
}

fn stabilize(settings: &Settings, clip: &[Frame]) -> SummaryMetrics {
    let mut stabilizer = Stabilizer::new(settings, WIDTH, HEIGHT, clip[0].1.len()).expect("good settings");
    for (frame, probabilities) in clip {
        stabilizer.push(frame.clone(), probabilities.clone()).expect("good input");
    }
    stabilizer.finish().1.after
}

#[test]
fn a_sample_is_spread_over_the_clip() {
    assert!(stretches(0).is_empty());
    assert_eq!(stretches(300), [42..58, 142..158, 242..258]);
    for frames in 1..400 {
        let sample = stretches(frames);
        let taken: Vec<usize> = sample.iter().cloned().flatten().collect();
        assert_eq!(taken.len(), frames.min(STRETCHES * STRETCH_FRAMES), "of {frames}");
        assert!(taken.is_sorted_by(|a, b| a < b) && taken.iter().all(|&index| index < frames), "of {frames}");
    }
}

#[test]
fn every_method_is_tried_and_nothing_twice() {
    let tried = candidates(&auto());
    assert_eq!((tried[0].method, tried[1].method), (Method::default(), Method::None));
    for method in Method::ALL {
        assert!(tried.iter().any(|settings| settings.method == method), "{method:?}");
    }
    let own = Settings { threshold: Some(0.4), decay: 0.9, work_side: 300, ..auto() };
    for tried in [tried, candidates(&own)] {
        let labels: Vec<_> = propose_nothing(&tried[0]).iter().map(Candidate::label).collect();
        for (index, settings) in tried.iter().enumerate() {
            settings.validate().expect("in range");
            assert!(!tried[..index].contains(settings), "{settings:?} twice");
            assert!(!labels[..index].contains(&labels[index]), "{} twice", labels[index]);
        }
    }
    let own = candidates(&own);
    assert!(own.iter().all(|tried| tried.threshold == Some(0.4) && tried.work_side == 300), "what is shared is kept");
}

/// The candidates of a trial without frames.
fn propose_nothing(settings: &Settings) -> Vec<Candidate> {
    let proposal = propose(settings, [], &clip());
    assert_eq!((proposal.chosen, proposal.reason, proposal.stretches.len()), (0, Reason::NothingSeen, 0));
    proposal.candidates
}

#[test]
fn what_is_told_of_a_candidate_is_what_a_run_gives() {
    let clip = clip();
    let proposal = propose(&auto(), 0..FRAMES, &clip);
    assert_eq!(proposal.candidates.len(), candidates(&auto()).len());
    for candidate in &proposal.candidates {
        let after = stabilize(&candidate.settings, &clip);
        assert_eq!(candidate.motion_compensated_instability, after.motion_compensated_instability, "{candidate:?}");
        assert_eq!(candidate.instability, after.instability, "{candidate:?}");
        assert_eq!(candidate.score, f64::from(after.estimate.expect("there is evidence").score), "{candidate:?}");
        assert_eq!(candidate.area, after.area, "{candidate:?}");
    }
    assert_eq!(proposal.candidates[1].agreement, 1.0, "no filter changes nothing");
}

#[test]
fn a_gap_in_the_sample_is_no_motion() {
    let clip = clip();
    // Two stretches of one shot, as if they were two clips.
    let (first, second) = (0..3, 4..CUT);
    let proposal = propose(&auto(), first.clone().chain(second.clone()), &clip);
    let told: Vec<_> = proposal.stretches.iter().map(|stretch| stretch.first..stretch.first + stretch.frames).collect();
    assert_eq!(told, [first.clone(), second.clone()]);
    for candidate in &proposal.candidates {
        let alone = [&clip[first.clone()], &clip[second.clone()]].map(|part| stabilize(&candidate.settings, part));
        let instability = |of: &SummaryMetrics| f64::from(of.instability.expect("more than a frame"));
        // Two pairs of neighbours and three.
        let expected = (2.0 * instability(&alone[0]) + 3.0 * instability(&alone[1])) / 5.0;
        let told = f64::from(candidate.instability.expect("more than a frame"));
        assert!((told - expected).abs() < 1e-6, "{told} instead of {expected}: {candidate:?}");
    }
}

#[test]
fn the_estimate_ranks_and_steadiness_does_not() {
    let clip = clip();
    let proposal = propose(&auto(), 0..CUT, &clip);
    let score = |index: usize| proposal.candidates[index].score;
    let best = (0..proposal.candidates.len()).max_by(|&a, &b| score(a).total_cmp(&score(b))).expect("some");
    match proposal.reason {
        Reason::HighestScore => assert_eq!(proposal.chosen, best),
        Reason::DefaultWithinMargin => assert_eq!(proposal.chosen, 0),
        Reason::NothingSeen => panic!("there is a disk and a square"),
    }
    assert!(score(proposal.chosen) > score(1), "better than doing nothing, where every fourth frame is missed");
    // Masks that are empty throughout are as steady as can be.
    let threshold = Some(0.95);
    let faint: Vec<Frame> =
        clip.iter().map(|(frame, planes)| (frame.clone(), planes.iter().map(|p| p.map(|p| p / 2)).collect())).collect();
    let nothing = propose(&Settings { threshold, ..auto() }, 0..CUT, &faint);
    assert_eq!((nothing.chosen, nothing.reason), (0, Reason::NothingSeen));
    assert_eq!(nothing.candidates[1].motion_compensated_instability, Some(0.0));
    assert!(nothing.candidates.iter().all(|candidate| candidate.score == 0.0));
}

#[test]
fn bad_input_is_refused() {
    let error = Stabilizer::new(&auto(), 4, 4, 1).err().expect("auto is no filter").to_string();
    let expected =
        "invalid method: auto (expected consensus, moving_average, median, exponential, uncertainty, hysteresis, none)";
    assert_eq!(error, expected);
    assert!(matches!(
        Trial::new(&Settings { alpha: 2.0, ..auto() }, 4, 4, 1),
        Err(Error::Setting { field: "alpha", .. })
    ));
    let mut trial = Trial::new(&auto(), WIDTH, HEIGHT, 2).expect("good settings");
    let (frame, planes) = clip().swap_remove(0);
    let clock = || 0.0;
    assert!(matches!(trial.push(0, frame.clone(), &planes[..1], &clock), Err(Error::Classes { actual: 1, .. })));
    let small = Plane::filled(4, 2, [0; 3]);
    assert!(matches!(trial.push(0, small, &planes, &clock), Err(Error::FrameSize { index: 0, width: 4, .. })));
    trial.push(0, frame, &planes, &clock).expect("the sample goes on");
    assert_eq!(trial.finish(&clock).stretches.len(), 1);
}
