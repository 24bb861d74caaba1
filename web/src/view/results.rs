use steadymask_core::metric::{Summary, SummaryMetrics};
use yew::prelude::*;

use super::use_language;
use crate::{
    engine::protocol::ExportKind,
    i18n::Texts,
    ui::{Icon, IconName, format},
};

/// See [`Metrics`].
#[derive(Properties, PartialEq)]
pub struct MetricsProps {
    /// What was measured.
    pub summary: Summary,
}

/// Which way a metric should go.
#[derive(Clone, Copy, PartialEq)]
enum Better {
    Lower,
    Higher,
    /// Neither: it is only worth knowing.
    Neither,
}

type Row = (&'static str, fn(&SummaryMetrics) -> Option<f32>, Better);

/// The metrics before and after: honest ones first, classic ones beside them with what they are worth.
#[component]
pub fn Metrics(props: &MetricsProps) -> Html {
    let (_, texts) = use_language();
    let honest: [Row; 5] = [
        (texts.estimated_quality, |m| m.estimate.map(|estimate| estimate.score), Better::Higher),
        (texts.edge_alignment, |m| m.estimate.map(|estimate| estimate.alignment), Better::Higher),
        (texts.motion_compensated_instability, |m| m.motion_compensated_instability, Better::Lower),
        (texts.area_drift, |m| m.area_drift, Better::Lower),
        (texts.area, |m| Some(m.area), Better::Neither),
    ];
    let classic: [Row; 3] = [
        (texts.instability, |m| m.instability, Better::Lower),
        (texts.iou, |m| m.temporal_consistency, Better::Higher),
        (texts.dice, |m| m.dice, Better::Higher),
    ];
    let is_empty = props.summary.before.area == 0.0 && props.summary.after.area == 0.0;
    html! {
        <section class="panel metrics" aria-labelledby="metrics">
            <h2 id="metrics">{ texts.metrics }</h2>
            if is_empty {
                <p class="notice" role="status">{ texts.no_masks }</p>
            }
            <table data-testid="metrics">
                <thead>
                    <tr>
                        <th scope="col"><span class="visually-hidden">{ texts.metric }</span></th>
                        <th scope="col" class="before">{ texts.before }</th>
                        <th scope="col" class="after">{ texts.after }</th>
                        <th scope="col">{ texts.change }</th>
                    </tr>
                </thead>
                <Group name={texts.honest} note={texts.estimate_note} rows={honest.map(|row| cells(row, &props.summary)).to_vec()} />
                <Group name={texts.classic} note={texts.classic_note} rows={classic.map(|row| cells(row, &props.summary)).to_vec()} />
            </table>
        </section>
    }
}

/// A row of the table: its name, the values, and whether the change is for the better.
#[derive(Clone, PartialEq)]
struct Cells {
    name: &'static str,
    before: Option<f32>,
    after: Option<f32>,
    better: Better,
}

fn cells((name, value, better): Row, summary: &Summary) -> Cells {
    Cells { name, before: value(&summary.before), after: value(&summary.after), better }
}

#[derive(Properties, PartialEq)]
struct GroupProps {
    name: AttrValue,
    note: AttrValue,
    rows: Vec<Cells>,
}

#[component]
fn Group(props: &GroupProps) -> Html {
    let (language, _) = use_language();
    let value = |value: Option<f32>| value.map_or("–".to_owned(), |share| format::percent(share.into(), language));
    let row = |cells: &Cells| {
        let (before, after) = (cells.before.unwrap_or_default(), cells.after.unwrap_or_default());
        let verdict = match cells.better {
            Better::Lower if after < before => "good",
            Better::Higher if after > before => "good",
            Better::Lower | Better::Higher if after != before => "bad",
            _ => "",
        };
        let change = format::change(before.into(), after.into(), language);
        html! {
            <tr>
                <th scope="row">{ cells.name }</th>
                <td>{ value(cells.before) }</td>
                <td>{ value(cells.after) }</td>
                <td class={verdict}>{ change.unwrap_or_else(|| "–".to_owned()) }</td>
            </tr>
        }
    };
    html! {
        <tbody>
            <tr class="group"><th scope="rowgroup" colspan="4">{ &props.name }<small>{ &props.note }</small></th></tr>
            { for props.rows.iter().map(row) }
        </tbody>
    }
}

/// See [`Downloads`].
#[derive(Properties, PartialEq)]
pub struct DownloadsProps {
    /// What is being written, and how far it is, 0 to 1.
    pub busy: Option<(ExportKind, f64)>,
    /// A file is wanted.
    pub on_export: Callback<ExportKind>,
    /// No longer wanted.
    pub on_cancel: Callback<()>,
}

/// The files that can be made of the result. One at a time.
#[component]
pub fn Downloads(props: &DownloadsProps) -> Html {
    let (_, texts) = use_language();
    let button = |kind: ExportKind| {
        let (label, test_id) = words(kind, texts);
        let share = props.busy.filter(|(busy, _)| *busy == kind).map(|(_, share)| share);
        let onclick = props.on_export.reform(move |_: MouseEvent| kind);
        html! {
            <li>
                <button type="button" class="button download" disabled={props.busy.is_some()} aria-busy={share.is_some().to_string()}
                    style={share.map(|share| format!("--share: {:.3}", share))} {onclick} data-testid={test_id}>
                    <Icon name={IconName::Download} />
                    { if share.is_some() { texts.download_busy } else { label } }
                </button>
            </li>
        }
    };
    html! {
        <section class="panel" aria-labelledby="downloads">
            <h2 id="downloads">{ texts.downloads }</h2>
            <ul class="downloads">
                { for [ExportKind::Masks, ExportKind::Overlay, ExportKind::RawMasks, ExportKind::Metrics].map(button) }
            </ul>
            if props.busy.is_some() {
                <button type="button" class="link" onclick={props.on_cancel.reform(|_: MouseEvent| ())} data-testid="cancel">{ texts.cancel }</button>
            }
        </section>
    }
}

fn words(kind: ExportKind, texts: &Texts) -> (&'static str, &'static str) {
    match kind {
        ExportKind::Masks => (texts.download_masks, "download-masks"),
        ExportKind::RawMasks => (texts.download_raw, "download-raw"),
        ExportKind::Overlay => (texts.download_overlay, "download-overlay"),
        ExportKind::Metrics => (texts.download_metrics, "download-metrics"),
    }
}
