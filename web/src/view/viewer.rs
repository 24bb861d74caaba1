use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::{HtmlCanvasElement, HtmlInputElement, window};
use yew::prelude::*;

use super::{
    paint::{self, Layers, Look},
    use_language,
};
use crate::{
    engine::protocol::{Clip, Masks, Picture},
    i18n::fill,
    ui::{Choice, Compare, Icon, IconName},
};

/// A picture as properties compare it: by identity, since its pixels never change.
#[derive(Clone)]
pub struct Shown(Rc<Owned>);

struct Owned(Picture);

impl Drop for Owned {
    /// Pixels of pictures are large, and lie where the garbage collector does not see them.
    fn drop(&mut self) {
        let Picture { frame, masks, .. } = &self.0;
        frame.close();
        if let Some(Masks { raw, stabilized }) = masks {
            raw.close();
            stabilized.close();
        }
    }
}

impl Shown {
    /// Shows `picture`, and frees it after.
    pub fn new(picture: Picture) -> Self {
        Self(Rc::new(Owned(picture)))
    }

    fn picture(&self) -> &Picture {
        &self.0.0
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// See [`Viewer`].
#[derive(Properties, PartialEq)]
pub struct ViewerProps {
    /// The open video.
    pub clip: Clip,
    /// Number of frames that can be stepped through.
    pub frames: usize,
    /// The frame that is wanted.
    pub current: usize,
    /// The frame that is there.
    pub picture: Option<Shown>,
    /// Whether frames follow one another by themselves.
    pub playing: bool,
    /// A frame was chosen.
    pub on_frame: Callback<usize>,
    /// Play, or pause.
    pub on_play: Callback<()>,
    /// Stands between the picture and the scrubber, as wide as the scrubber.
    pub children: Html,
}

/// A frame with its masks before and after, and the ways to get to the others.
#[component]
pub fn Viewer(props: &ViewerProps) -> Html {
    let (_, texts) = use_language();
    let look = use_state_eq(Look::default);
    let divider = use_state_eq(|| 50.0);
    let trouble = use_state_eq(|| None::<AttrValue>);
    let canvas = use_node_ref();
    let layers = use_mut_ref(|| None::<Layers>);
    let has_masks = props.picture.as_ref().is_some_and(|shown| shown.picture().masks.is_some());

    {
        // Yew runs effects in the order of their hooks: the layers are painted when the canvas is drawn.
        let (layers, canvas, trouble) = (layers.clone(), canvas.clone(), trouble.clone());
        use_effect_with((props.picture.clone(), *look), move |(shown, look)| {
            let (Some(shown), Some(canvas)) = (shown, canvas.cast::<HtmlCanvasElement>()) else { return };
            let layers = &mut *layers.borrow_mut();
            trouble.set(paint_layers(layers, shown.picture(), *look, &canvas).err().map(in_words));
        });
    }
    {
        let (layers, canvas, trouble) = (layers.clone(), canvas.clone(), trouble.clone());
        use_effect_with((props.picture.clone(), *look, *divider), move |(shown, look, divider)| {
            let (Some(shown), Some(canvas)) = (shown, canvas.cast::<HtmlCanvasElement>()) else { return };
            let Some(layers) = &*layers.borrow() else { return };
            if let Err(error) = paint::draw(&canvas, shown.picture(), layers, *look, *divider) {
                trouble.set(Some(in_words(error)));
            }
        });
    }

    let on_move = {
        let divider = divider.clone();
        Callback::from(move |position| divider.set(position))
    };
    let on_look = {
        let look = look.clone();
        Callback::from(move |name: AttrValue| {
            if let Some(chosen) = Look::ALL.into_iter().find(|look| look.name() == name) {
                look.set(chosen);
            }
        })
    };
    let look_options: Vec<_> = Look::ALL
        .iter()
        .map(|look| {
            let name = match look {
                Look::Overlay => texts.view_overlay,
                Look::Mask => texts.view_mask,
                Look::Cutout => texts.view_cutout,
            };
            (look.name().into(), name.into())
        })
        .collect();
    let drawn = props.picture.as_ref().map(|shown| shown.picture().index);
    let size = format!("--width: {}; --height: {}", props.clip.width, props.clip.height);
    let stage = html! {
        <canvas ref={canvas} role="img" width={props.clip.width.to_string()} height={props.clip.height.to_string()}
            aria-label={format!("{} {}", texts.frame, props.current)} data-testid="canvas"
            data-frame={drawn.map(|index| index.to_string())} data-masks={has_masks.to_string()} />
    };
    html! {
        <section class="viewer" aria-label={texts.viewer}>
            <div class="viewer-stage" style={size}>
                if has_masks {
                    <Compare position={*divider} {on_move} label={texts.compare} before={texts.before} after={texts.after}
                        value_label={fill(texts.compare_value, &[&format!("{:.0}", *divider)])}>
                        { stage }
                    </Compare>
                } else {
                    <div class="compare plain">{ stage }</div>
                }
            </div>
            if let Some(trouble) = &*trouble {
                <p class="refusal" role="status">{ fill(texts.frame_lost, &[trouble]) }</p>
            }
            { props.children.clone() }
            <Transport frames={props.frames} current={props.current} playing={props.playing}
                on_frame={props.on_frame.clone()} on_play={props.on_play.clone()}>
                if has_masks {
                    <Choice label={texts.view} options={look_options} value={look.name()} on_choose={on_look} test_id="view" />
                }
            </Transport>
        </section>
    }
}

/// Paints the masks of `picture`, for `canvas` to show; makes the layers the first time.
fn paint_layers(
    layers: &mut Option<Layers>,
    picture: &Picture,
    look: Look,
    canvas: &HtmlCanvasElement,
) -> Result<(), JsValue> {
    if layers.is_none() {
        *layers = Some(Layers::new()?);
    }
    let [before, after] = colors(canvas);
    layers
        .as_ref()
        .map_or(Ok(()), |layers| layers.paint(picture, look, [&before, &after], f64::from(canvas.client_width())))
}

fn in_words(error: JsValue) -> AttrValue {
    format!("{error:?}").into()
}

/// The colours of the masks before and after, from the style sheet.
fn colors(canvas: &HtmlCanvasElement) -> [String; 2] {
    let style = window().and_then(|window| window.get_computed_style(canvas).ok().flatten());
    ["--mask-before", "--mask-after"].map(|name| {
        let value = style.as_ref().map(|style| style.get_property_value(name)).unwrap_or(Err(JsValue::NULL));
        value.unwrap_or_default().trim().to_owned()
    })
}

#[derive(Properties, PartialEq)]
struct TransportProps {
    frames: usize,
    current: usize,
    playing: bool,
    on_frame: Callback<usize>,
    on_play: Callback<()>,
    children: Html,
}

/// Scrubber, buttons and frame number. Frames are numbered from 0, as the files of masks are.
#[component]
fn Transport(props: &TransportProps) -> Html {
    let (_, texts) = use_language();
    let last = props.frames.saturating_sub(1);
    let current = props.current;
    let number = |event: &InputEvent| event.target_unchecked_into::<HtmlInputElement>().value().parse::<usize>().ok();
    let oninput = {
        let on_frame = props.on_frame.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(frame) = number(&event) {
                on_frame.emit(frame.min(last));
            }
        })
    };
    let button = |icon, label: &'static str, test_id: &'static str, target: usize, disabled: bool| {
        let onclick = props.on_frame.reform(move |_: MouseEvent| target);
        html! {
            <button type="button" class="icon-button" aria-label={label} title={label} {onclick} {disabled} data-testid={test_id}>
                <Icon name={icon} />
            </button>
        }
    };
    let (play_icon, play_label) =
        if props.playing { (IconName::Pause, texts.pause) } else { (IconName::Play, texts.play) };
    html! {
        <div class="transport">
            <input class="scrubber" type="range" min="0" max={last.to_string()} step="1" value={current.to_string()}
                oninput={oninput.clone()} aria-label={texts.timeline} disabled={last == 0}
                aria-valuetext={format!("{} {current} {}", texts.frame, fill(texts.frame_of, &[&last.to_string()]))}
                data-testid="scrubber" />
            <div class="transport-line">
                <div class="transport-buttons">
                    { button(IconName::First, texts.first_frame, "frame-first", 0, current == 0) }
                    { button(IconName::Previous, texts.previous_frame, "frame-prev", current.saturating_sub(1), current == 0) }
                    <button type="button" class="icon-button" aria-label={play_label} title={play_label} disabled={last == 0}
                        onclick={props.on_play.reform(|_: MouseEvent| ())} data-testid="play">
                        <Icon name={play_icon} />
                    </button>
                    { button(IconName::Next, texts.next_frame, "frame-next", (current + 1).min(last), current >= last) }
                    { button(IconName::Last, texts.last_frame, "frame-last", last, current >= last) }
                </div>
                <label class="frame-number">
                    { texts.frame }
                    <input type="number" min="0" max={last.to_string()} value={current.to_string()} {oninput} data-testid="frame-number" />
                    { fill(texts.frame_of, &[&last.to_string()]) }
                </label>
                { props.children.clone() }
            </div>
            <p class="hint keys">{ texts.keys }</p>
        </div>
    }
}
