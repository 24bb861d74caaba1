use yew::prelude::*;

use super::use_language;
use crate::{i18n::Language, ui::Choice};

/// See [`Header`].
#[derive(Properties, PartialEq)]
pub struct HeaderProps {
    /// Another language was chosen.
    pub on_language: Callback<Language>,
    /// What stands between the name and the language.
    #[prop_or_default]
    pub children: Html,
}

/// The name of the product and the language switch.
#[component]
pub fn Header(props: &HeaderProps) -> Html {
    let (language, texts) = use_language();
    let on_choose = {
        let on_language = props.on_language.clone();
        Callback::from(move |code: AttrValue| {
            if let Some(language) = Language::from_tag(&code) {
                on_language.emit(language);
            }
        })
    };
    let options: Vec<_> =
        Language::ALL.iter().map(|language| (language.code().into(), language.name().into())).collect();
    html! {
        <header class="header">
            <span class="brand">
                <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
                    <circle class="ghost" cx="19.5" cy="12.5" r="9.5" />
                    <circle cx="13.5" cy="18.5" r="9.5" />
                </svg>
                { "Steadymask" }
            </span>
            <div class="header-actions">
                { props.children.clone() }
                <Choice label={texts.language} {options} value={language.code()} {on_choose} test_id="language" />
            </div>
        </header>
    }
}
