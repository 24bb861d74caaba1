use web_sys::{File, HtmlSelectElement};
use yew::prelude::*;

use super::use_language;
use crate::{
    engine::protocol::{Ready, Weights},
    i18n::fill,
    ui::{self, FileButton, Icon, IconName, format, milestone},
};

/// The value of the site's own network in the list; the others have their SHA-256.
const SITE: &str = "";

/// How much of a network has come, in bytes, and of how many, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loading {
    /// Bytes that have come.
    pub done: u64,
    /// Bytes of its file.
    pub total: Option<u64>,
}

/// See [`NetworkView`].
#[derive(Properties, PartialEq)]
pub struct NetworkProps {
    /// The network in use, and those that are kept; `None` until they are known.
    pub ready: Option<Ready>,
    /// Whether nothing can be changed now.
    pub disabled: bool,
    /// Another network is wanted.
    pub on_use: Callback<Weights>,
    /// The network of this SHA-256 is to be kept no longer.
    pub on_forget: Callback<String>,
}

/// Which network says what is where: the site's, one that the browser keeps, or one from a file.
#[component]
pub fn NetworkView(props: &NetworkProps) -> Html {
    let (language, texts) = use_language();
    let Some(ready) = &props.ready else { return Html::default() };
    let chosen = ready.sha256.clone().unwrap_or_default();
    let onchange = props.on_use.reform(|event: Event| {
        let value = event.target_dyn_into::<HtmlSelectElement>().map(|select| select.value()).unwrap_or_default();
        if value == SITE { Weights::Site } else { Weights::Kept(value) }
    });
    let on_file = props.on_use.reform(|file: File| Weights::File(file.into()));
    let kept = ready.kept.iter().map(|kept| {
        let name = format!("{} ({})", kept.name, format::bytes(kept.size, language));
        html! { <option value={kept.sha256.clone()} selected={chosen == kept.sha256} title={kept.sha256.clone()}>{ name }</option> }
    });
    let forget = ready.sha256.clone().map(|sha256| {
        let onclick = props.on_forget.reform(move |_: MouseEvent| sha256.clone());
        html! {
            <button type="button" class="button" {onclick} disabled={props.disabled} data-testid="forget-network">
                <Icon name={IconName::Close} />{ texts.network_forget }
            </button>
        }
    });
    html! {
        <fieldset class="settings network" disabled={props.disabled}>
            <div class="field">
                <label for="network">{ texts.network }</label>
                <select id="network" {onchange} data-testid="network" data-name={ready.network.clone()}>
                    <option value={SITE} selected={chosen == SITE}>{ texts.network_site }</option>
                    { for kept }
                </select>
                <div class="drop-actions">
                    <FileButton label={texts.network_file} {on_file} accept=".safetensors" test_id="network-file" />
                    { for forget }
                </div>
                <p class="hint">{ texts.network_hint }</p>
            </div>
        </fieldset>
    }
}

/// See [`LoadingView`].
#[derive(Properties, PartialEq)]
pub struct LoadingProps {
    /// How far it is.
    pub loading: Loading,
    /// It is no longer wanted.
    pub on_cancel: Callback<()>,
}

/// How much of a network has come.
#[component]
pub fn LoadingView(props: &LoadingProps) -> Html {
    let (language, texts) = use_language();
    let Loading { done, total } = props.loading;
    let share = total.filter(|&total| total > 0).map(|total| done as f64 / total as f64);
    let figure = match total {
        Some(total) => fill(texts.of, &[&format::bytes(done, language), &format::bytes(total, language)]),
        None => format::bytes(done, language),
    };
    let announcement = match share {
        Some(share) => format!("{} {} %", texts.network_loading, milestone(share)),
        None => texts.network_loading.to_owned(),
    };
    let onclick = props.on_cancel.reform(|_: MouseEvent| ());
    html! {
        <ui::Progress label={texts.network_loading} {share} figures={vec![figure.into()]} {announcement}>
            <button type="button" class="button" {onclick} data-testid="cancel-network">
                <Icon name={IconName::Close} />{ texts.cancel }
            </button>
        </ui::Progress>
    }
}
