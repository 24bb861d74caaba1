use web_sys::HtmlElement;
use yew::prelude::*;

/// How far an arrow key moves the divider, in percent.
const STEP: f64 = 2.0;
/// How far Page Up and Page Down move it, in percent.
const PAGE: f64 = 10.0;

/// See [`Compare`].
#[derive(Properties, PartialEq)]
pub struct CompareProps {
    /// Where the divider is, in percent of the width from the left.
    pub position: f64,
    /// The divider was moved to this position.
    pub on_move: Callback<f64>,
    /// What the divider is, for a screen reader.
    pub label: AttrValue,
    /// Where it is, in words.
    pub value_label: AttrValue,
    /// Name of what lies left of it.
    pub before: AttrValue,
    /// Name of what lies right of it.
    pub after: AttrValue,
    /// What is compared.
    pub children: Html,
}

/// Lays a divider over its children, which show one thing left of it and another right of it. It is dragged from
/// anywhere, or moved with the arrow keys.
#[component]
pub fn Compare(props: &CompareProps) -> Html {
    let area = use_node_ref();
    let follow = {
        let (area, on_move) = (area.clone(), props.on_move.clone());
        move |event: &PointerEvent| {
            if let Some(area) = area.cast::<HtmlElement>() {
                let bounds = area.get_bounding_client_rect();
                let share = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
                on_move.emit((100.0 * share).clamp(0.0, 100.0));
            }
        }
    };
    let onpointerdown = {
        let (area, follow) = (area.clone(), follow.clone());
        Callback::from(move |event: PointerEvent| {
            if event.button() == 0 {
                if let Some(area) = area.cast::<HtmlElement>() {
                    // Without capture, which a synthetic pointer refuses, a drag only ends at the edge.
                    _ = area.set_pointer_capture(event.pointer_id());
                }
                follow(&event);
            }
        })
    };
    let onpointermove = Callback::from(move |event: PointerEvent| {
        if event.buttons() & 1 == 1 {
            follow(&event);
        }
    });
    let onkeydown = {
        let (position, on_move) = (props.position, props.on_move.clone());
        Callback::from(move |event: KeyboardEvent| {
            let moved = match event.key().as_str() {
                "ArrowLeft" | "ArrowDown" => position - STEP,
                "ArrowRight" | "ArrowUp" => position + STEP,
                "PageDown" => position - PAGE,
                "PageUp" => position + PAGE,
                "Home" => 0.0,
                "End" => 100.0,
                _ => return,
            };
            event.prevent_default();
            // The page steps frames with the same keys.
            event.stop_propagation();
            on_move.emit(moved.clamp(0.0, 100.0));
        })
    };
    html! {
        <div class="compare" ref={area} {onpointerdown} {onpointermove}>
            { props.children.clone() }
            <span class="compare-name before" aria-hidden="true">{ &props.before }</span>
            <span class="compare-name after" aria-hidden="true">{ &props.after }</span>
            <div class="compare-divider" style={format!("left: {:.2}%", props.position)} role="slider" tabindex="0"
                aria-label={&props.label} aria-orientation="horizontal" aria-valuemin="0" aria-valuemax="100"
                aria-valuenow={format!("{:.0}", props.position)} aria-valuetext={&props.value_label}
                {onkeydown} data-testid="compare">
                <span class="compare-grip" aria-hidden="true" />
            </div>
        </div>
    }
}
