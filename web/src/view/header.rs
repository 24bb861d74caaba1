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
            <a class="brand" href=".">
                <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
                    <path class="ghost" d="M17.5 4.5c7 .6 11.6 5 10.6 12.3C27 24.5 21.600 28 14.500 27.300 7.500 26.600 3.600 21 4.700 14.200 5.800 7.500 10.500 4 17.500 4.500z" />
                    <circle cx="16" cy="16" r="10.500" />
                </svg>
                { "Steadymask" }
            </a>
            <div class="header-actions">
                { props.children.clone() }
                <Choice label={texts.language} {options} value={language.code()} {on_choose} test_id="language" />
            </div>
        </header>
    }
}
