//! What a network is and how it came to be, from what was really run.

use std::fmt::Write;

use super::{
    data::{Data, Part},
    evaluation::Report,
    run::Options,
    views,
};

/// What a card tells.
pub(super) struct Card<'a> {
    pub(super) options: &'a Options,
    pub(super) data: &'a Data,
    pub(super) classes: &'a [String],
    /// How much of the trained weights is in the result.
    pub(super) share: f32,
    /// The shares that were tried, with their mean IoU on the half that is for choosing.
    pub(super) tried: &'a [(f32, f64)],
    /// The start's scores, where it tells the same classes apart.
    pub(super) before: Option<&'a Report>,
    pub(super) after: &'a Report,
}

impl Card<'_> {
    /// In Markdown.
    pub(super) fn text(&self) -> String {
        let Self { options, data, classes, share, tried, before, after } = self;
        let recipe = &options.recipe;
        let name = |path: &std::path::Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let start = options.start.as_deref().map_or("the default network of Steadymask".into(), name);
        let teacher = match (&options.teacher, &options.classes) {
            (Some(path), _) => format!("{} on the clean picture, {} times as large", name(path), recipe.enlargement),
            (None, None) if recipe.distillation > 0.0 => {
                format!("the start on the clean picture, {} times as large", recipe.enlargement)
            }
            _ => "no other network".into(),
        };
        let listed = tried.iter().map(|(share, mean)| format!("{share}: {mean:.2}")).collect::<Vec<_>>().join(", ");
        let mut text = String::new();
        let mut line = |words: String| {
            text.push_str(&words);
            text.push('\n');
        };
        line(format!("# A network of {} classes, fine-tuned from {start}\n", classes.len()));
        line("Written by the training command from what it ran.\n".into());
        line("**Architecture**: deeplabv3_mobilenet_v2, 16-bit weights.\n".into());
        line(format!("**Classes**: {}.\n", classes.join(", ")));
        line(format!(
            "**How it was made**: {} steps of {} pictures in two views each, seed {}. Both views are spoiled differently \
             (exposure, gamma, tint, motion blur, noise, JPEG 25–80) and one is moved by up to 12 pixels; crops of up to {} \
             pixels of pictures with a short side of {:.0} to {:.0}, mirrored or not. Loss: cross-entropy with the labels (background weighted {}) + {} × \
             divergence from {teacher} + {} × squared disagreement of the two views after moving back. Adam, steps \
             relative to each tensor's size ({:e} at most, polynomial decay), gradients shortened to 3, moving average \
             0.995. Of the result, {share} is trained and the rest is the start, tensor by tensor; chosen by mean IoU on \
             half of the kept-out pictures ({listed}).\n",
            recipe.steps,
            recipe.batch,
            recipe.seed,
            recipe.crop,
            views::SHORT * views::SCALES.0,
            views::SHORT * views::SCALES.1,
            recipe.background,
            recipe.distillation,
            recipe.consistency,
            recipe.rate,
        ));
        line("**Data**:\n".into());
        line(
            "| source | learned from | of these without labels | kept out to choose by | kept out to measure on |"
                .into(),
        );
        line("| --- | ---: | ---: | ---: | ---: |".into());
        for (number, source) in data.sources.iter().enumerate() {
            let count = |part: Part, labelled: bool| {
                data.of(part).filter(|s| s.source == number && (s.is_labelled() || !labelled)).count()
            };
            let (all, labelled) = (count(Part::Training, false), count(Part::Training, true));
            let [choosing, scoring] = [Part::Choosing, Part::Scoring].map(|part| count(part, true).min(options.most));
            line(format!("| {source} | {all} | {} | {choosing} | {scoring} |", all - labelled));
        }
        line(format!(
            "\n{} training pictures were left out because they nearly equal a kept-out one. Kept out are the pictures in a \
             folder `val`, or one in twelve by the hash of its name. A start that was itself trained on some of them scores \
             too well here.\n",
            data.twins.len()
        ));
        line("**Scores** (IoU ×100 on pictures kept out of training and of every choice):\n".into());
        let mut compared = vec![("this", *after)];
        compared.extend(before.map(|before| ("start", before)));
        line(scores(&compared, classes));
        line(
            "**Licence**: that of the start and the terms of the pictures; whoever ships these weights has to look at both."
                .into(),
        );
        text
    }
}

/// Scores as a Markdown table: a row for each network and source.
pub(super) fn scores(reports: &[(&str, &Report)], classes: &[String]) -> String {
    let shown: Vec<usize> = (0..classes.len())
        .filter(|&class| {
            reports.iter().any(|(_, report)| report.scores.iter().any(|score| score.pictures_of[class] > 0))
        })
        .collect();
    let mut text = String::from("| weights | source | pictures | mean of classes in ≥ 10 pictures |");
    shown.iter().for_each(|&class| write_to(&mut text, format!(" {} |", classes[class])));
    text.push_str("\n| --- | --- | ---: | ---: |");
    text.push_str(&" ---: |".repeat(shown.len()));
    let value = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.1}"));
    for (name, report) in reports {
        for score in &report.scores {
            let mean = format!("{} ({})", value(score.mean), score.classes_in_mean);
            write_to(&mut text, format!("\n| {name} | {} | {} | {mean} |", score.source, score.pictures));
            shown.iter().for_each(|&class| write_to(&mut text, format!(" {} |", value(score.iou[class]))));
        }
    }
    text.push_str("\n\n| weights | mean | views apart, % | calibration error | of the foreground | nats a pixel | mean, calibrated |");
    text.push_str("\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, report) in reports {
        let (raw, after) = (&report.raw, &report.calibrated);
        write_to(
            &mut text,
            format!(
                "\n| {name} | {:.2} | {:.2} | {:.4} → {:.4} | {:.4} → {:.4} | {:.4} → {:.4} | {:.2} |",
                report.mean,
                report.disagreement,
                raw.error,
                after.error,
                raw.foreground_error,
                after.foreground_error,
                raw.likelihood,
                after.likelihood,
                report.calibrated_mean,
            ),
        );
    }
    for (name, report) in reports {
        let listed = shown.iter().map(|&class| format!("{} {:.2}", classes[class], report.temperatures[class]));
        write_to(&mut text, format!("\n\nTemperatures of {name}: {}.", listed.collect::<Vec<_>>().join(", ")));
    }
    text.push_str(
        "\n\n*Views apart*: of the pixels that either of two spoiled views of a picture calls foreground, the share on \
         which they differ. Calibration errors before and after temperatures, which were fitted on the other half of the \
         kept-out pictures.\n",
    );
    text
}

fn write_to(text: &mut String, words: String) {
    text.write_str(&words).expect("memory takes any number of bytes");
}
