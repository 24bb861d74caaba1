use yew::prelude::*;

use super::use_language;
use crate::{
    engine::protocol::Ready,
    i18n::fill,
    ui::{Icon, IconName},
};

/// See [`Facts`].
#[derive(Properties, PartialEq)]
pub struct FactsProps {
    /// What the work runs on, once it is known.
    pub ready: Option<Ready>,
}

/// What people want to be sure of: nothing is uploaded, and which device does the work, and why.
#[component]
pub fn Facts(props: &FactsProps) -> Html {
    let (_, texts) = use_language();
    let device = props.ready.as_ref().map(|ready| {
        let name = match ready.device.as_str() {
            "cpu" => texts.device_cpu,
            "webgpu" => texts.device_webgpu,
            other => other,
        };
        // The reason comes from the engine, in English.
        html! { <>{ fill(texts.device, &[name]) }{ ": " }<span lang="en">{ &ready.reason }</span></> }
    });
    html! {
        <ul class="facts">
            <li><Icon name={IconName::Lock} /><span>{ texts.privacy }</span></li>
            <li data-testid="device" data-device={props.ready.as_ref().map(|ready| ready.device.clone())} aria-live="polite">
                <Icon name={IconName::Chip} /><span>{ device.unwrap_or_else(|| texts.device_waiting.into()) }</span>
            </li>
        </ul>
    }
}
