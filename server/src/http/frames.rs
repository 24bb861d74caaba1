//! `GET /api/frames/{job_id}/{type}/{num}`: a frame, a mask, or both as a picture.

use axum::{
    Router,
    extract::{Path, State},
    http::header::CONTENT_TYPE,
    response::Response,
    routing::get,
};
use steadymask_core::{Plane, RAW_LEVEL, full_mask, overlay, union_of};

use super::{App, Problem, blocking, fresh};
use crate::{
    Error,
    evidence::Kept,
    job::Job,
    picture,
    source::{Source, numbered},
};

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/frames/{job_id}/{type}/{num}", get(frame))
}

/// What a frame can be shown as.
#[derive(Clone, Copy)]
enum View {
    Original,
    Mask,
    Stabilized,
    Overlay,
    OverlayStabilized,
    Difference,
}

impl View {
    const ALL: [(&str, Self); 6] = [
        ("original", Self::Original),
        ("mask", Self::Mask),
        ("stabilized", Self::Stabilized),
        ("overlay", Self::Overlay),
        ("overlay_stabilized", Self::OverlayStabilized),
        ("difference", Self::Difference),
    ];

    fn parse(name: &str) -> Result<Self, Problem> {
        let found = Self::ALL.into_iter().find(|&(known, _)| known == name);
        let allowed = || Self::ALL.map(|(name, _)| name).join(", ");
        found.map(|(_, view)| view).ok_or_else(|| Problem::invalid("type", name, &allowed()))
    }

    fn needs_raw(self) -> bool {
        matches!(self, Self::Mask | Self::Overlay | Self::Difference)
    }

    fn needs_steady(self) -> bool {
        matches!(self, Self::Stabilized | Self::OverlayStabilized | Self::Difference)
    }
}

async fn frame(
    State(app): State<App>,
    Path((id, view, num)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let job = app.job(&id)?;
    let view = View::parse(&view)?;
    let last = job.video.frames - 1;
    let num = match num.parse() {
        Ok(num) if num <= last => num,
        _ => return Err(Problem::invalid("num", num, &format!("0 to {last}"))),
    };
    if view.needs_raw() && job.classes.is_none() {
        return Err(Problem::wrong_order("the video must be segmented first: POST /api/segment"));
    }
    if view.needs_steady() && job.settings.is_none() {
        return Err(Problem::wrong_order("the masks must be made steady first: POST /api/stabilize"));
    }
    let (kind, bytes) = blocking(move || {
        let source = app.jobs.source(job.job_id).ok_or_else(|| Problem::unknown_job(&id))??;
        draw(&app, &job, &source, view, num)
    })
    .await??;
    Ok(fresh(([(CONTENT_TYPE, kind)], bytes)))
}

fn draw(app: &App, job: &Job, source: &Source, view: View, num: usize) -> Result<(&'static str, Vec<u8>), Problem> {
    let store = app.jobs.store();
    let size = source.size();
    let raw = || -> Result<Plane<u8>, Error> {
        let planes = Kept::open(&store.probabilities(job.job_id))?.read(num)?;
        Ok(full_mask(&union_of(&planes), size, RAW_LEVEL))
    };
    let steady_path = store.output(job.job_id).join("masks").join(format!("{}.png", numbered(num)));
    let mut frame = match view {
        View::Mask => return Ok(("image/png", picture::gray_png(&raw()?))),
        View::Stabilized => {
            let png = std::fs::read(&steady_path).map_err(Error::io("read", &steady_path))?;
            return Ok(("image/png", png));
        }
        _ => source.frame(num)?,
    };
    match view {
        View::Overlay => overlay::draw_mask(&mut frame, &raw()?, overlay::MASK_COLOR),
        View::OverlayStabilized => {
            overlay::draw_mask(&mut frame, &picture::read_mask(&steady_path)?, overlay::MASK_COLOR);
        }
        View::Difference => overlay::draw_difference(&mut frame, &raw()?, &picture::read_mask(&steady_path)?),
        View::Original | View::Mask | View::Stabilized => {}
    }
    Ok(("image/jpeg", picture::jpeg(&frame)?))
}
