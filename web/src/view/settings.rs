use steadymask_core::{Method, Settings};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::{
    form::{Field, Form},
    use_language,
};
use crate::{
    i18n::{Texts, fill},
    ui::format,
};

/// Classes that people look for first; the model's others follow in its own order.
const FAVOURITES: [&str; 9] = ["person", "car", "dog", "cat", "horse", "bicycle", "motorbike", "bus", "bird"];

/// See [`SettingsView`].
#[derive(Properties, PartialEq)]
pub struct SettingsProps {
    /// What is chosen.
    pub form: Form,
    /// The classes of the model; `None` until they are known.
    pub classes: Option<Vec<String>>,
    /// Whether nothing can be changed now.
    pub disabled: bool,
    /// Something was chosen.
    pub on_change: Callback<Form>,
}

/// What to keep, and how to hold it steady.
#[component]
pub fn SettingsView(props: &SettingsProps) -> Html {
    let (_, texts) = use_language();
    let method = props.form.method();
    let shown = |field: &Field| field.is_used_by(method) || props.form.refusal(*field).is_some();
    let field = |field: Field| {
        html! {
            <FieldView key={field.name()} {field} form={props.form.clone()} on_change={props.on_change.clone()} />
        }
    };
    let (main, more) = (
        [Field::WindowSize, Field::Alpha, Field::Ratio, Field::High, Field::Low, Field::LookAhead, Field::Threshold],
        [Field::Decay, Field::ColorSigma, Field::WorkSide, Field::InputSide],
    );
    let more_open = more.iter().any(|&field| !props.form.text(field).is_empty());
    html! {
        <fieldset class="settings" disabled={props.disabled}>
            <legend>{ texts.settings }</legend>
            <Classes form={props.form.clone()} classes={props.classes.clone()} on_change={props.on_change.clone()} />
            <MethodView form={props.form.clone()} on_change={props.on_change.clone()} />
            { for main.into_iter().filter(shown).map(field) }
            <details class="more" open={more_open}>
                <summary>{ texts.advanced }</summary>
                { for more.into_iter().filter(shown).map(field) }
            </details>
        </fieldset>
    }
}

/// Why the classes of `form` are refused by a model of these `classes`, if they are.
pub fn class_refusal(form: &Form, classes: &[String], texts: &Texts) -> Option<String> {
    let unknown = form.classes().iter().find(|class| !classes.contains(class))?;
    Some(fill(texts.no_such_class, &[unknown, &classes.join(", ")]))
}

#[derive(Properties, PartialEq)]
struct ClassesProps {
    form: Form,
    classes: Option<Vec<String>>,
    on_change: Callback<Form>,
}

#[component]
fn Classes(props: &ClassesProps) -> Html {
    let (language, texts) = use_language();
    let change = |edit: Box<dyn Fn(&mut Form)>| {
        let (form, on_change) = (props.form.clone(), props.on_change.clone());
        Callback::from(move |_: MouseEvent| {
            let mut form = form.clone();
            edit(&mut form);
            on_change.emit(form);
        })
    };
    let chosen = props.form.classes();
    let known = props.classes.as_deref().unwrap_or_default();
    // What the URL asks for is shown although the model does not have it, so that it can be taken away.
    let unknown = chosen.iter().filter(|class| !known.contains(class));
    let favourites = FAVOURITES.iter().filter_map(|name| known.iter().find(|class| class == name));
    let others = known.iter().filter(|class| !FAVOURITES.contains(&class.as_str()));
    let chip = |name: &String| {
        let class = name.clone();
        let onclick = change(Box::new(move |form| form.toggle_class(&class)));
        let pressed = chosen.contains(name);
        html! {
            <button type="button" class="chip" key={name.clone()} aria-pressed={pressed.to_string()} data-class={name.clone()} {onclick}>
                { language.class(name) }
            </button>
        }
    };
    let refusal = props.classes.as_ref().and_then(|classes| class_refusal(&props.form, classes, texts));
    html! {
        <div class="field" role="group" aria-labelledby="keep">
            <span class="label" id="keep">{ texts.keep }</span>
            <div class="chips" data-testid="classes">
                <button type="button" class="chip" aria-pressed={chosen.is_empty().to_string()} data-class=""
                    onclick={change(Box::new(Form::keep_everything))}>{ texts.everything }</button>
                { for unknown.chain(favourites).chain(others).map(chip) }
            </div>
            if let Some(refusal) = refusal {
                <p class="refusal" role="status">{ refusal }</p>
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct FormProps {
    form: Form,
    on_change: Callback<Form>,
}

/// The name of a method, and what it does.
pub fn method_words(method: Method, texts: &Texts) -> (&'static str, &'static str) {
    match method {
        Method::None => (texts.method_none, texts.about_none),
        Method::MovingAverage => (texts.method_moving_average, texts.about_moving_average),
        Method::Median => (texts.method_median, texts.about_median),
        Method::Exponential => (texts.method_exponential, texts.about_exponential),
        Method::Uncertainty => (texts.method_uncertainty, texts.about_uncertainty),
        Method::Hysteresis => (texts.method_hysteresis, texts.about_hysteresis),
        Method::Consensus => (texts.method_consensus, texts.about_consensus),
        Method::Auto => (texts.method_auto, texts.about_auto),
    }
}

#[component]
fn MethodView(props: &FormProps) -> Html {
    let (_, texts) = use_language();
    let onchange = {
        let (form, on_change) = (props.form.clone(), props.on_change.clone());
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                let mut form = form.clone();
                form.set(Field::Method, select.value());
                on_change.emit(form);
            }
        })
    };
    let chosen = props.form.method();
    html! {
        <div class="field">
            <label for="method">{ texts.method }</label>
            <select id="method" {onchange} data-testid="method" aria-describedby="method-about">
                { for std::iter::once(Method::Auto).chain(Method::ALL).map(|method| html! {
                    <option value={method.name()} selected={method == chosen}>{ method_words(method, texts).0 }</option>
                }) }
            </select>
            <p class="hint" id="method-about">{ method_words(chosen, texts).1 }</p>
            <RefusalView field={Field::Method} form={props.form.clone()} />
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct FieldProps {
    field: Field,
    form: Form,
    on_change: Callback<Form>,
}

/// A setting of one number.
#[component]
fn FieldView(props: &FieldProps) -> Html {
    let (language, texts) = use_language();
    let FieldProps { field, form, on_change } = props;
    let field = *field;
    let set = {
        let (form, on_change) = (form.clone(), on_change.clone());
        Callback::from(move |text: String| {
            let mut form = form.clone();
            form.set(field, text);
            on_change.emit(form);
        })
    };
    let label = match field {
        Field::Method => texts.method,
        Field::WindowSize => texts.window_size,
        Field::Alpha => texts.alpha,
        Field::Ratio => texts.ratio,
        Field::High => texts.high,
        Field::Low => texts.low,
        Field::LookAhead => texts.look_ahead,
        Field::Threshold => texts.threshold,
        Field::Decay => texts.decay,
        Field::ColorSigma => texts.color_sigma,
        Field::WorkSide => texts.work_side,
        Field::InputSide => texts.input_side,
    };
    let own_threshold = Settings { method: form.method(), ..Settings::default() }.threshold();
    let hint = match field {
        Field::LookAhead => Some(texts.look_ahead_hint.to_owned()),
        Field::Threshold => Some(fill(texts.threshold_hint, &[&format::number(own_threshold.into(), 1, language)])),
        Field::InputSide => Some(texts.input_side_hint.to_owned()),
        _ => None,
    };
    let text = match form.text(field) {
        "" => field.text_of(&Settings::default()),
        text => text.to_owned(),
    };
    let id = field.name();
    let (hint_id, refusal_id) = (format!("{id}-hint"), format!("{id}-refusal"));
    let oninput = set.reform(|event: InputEvent| event.target_unchecked_into::<HtmlInputElement>().value());
    let invalid = form.refusal(field).is_some();
    html! {
        <div class="field row">
            <label for={id}>{ label }</label>
            <input {id} type="text" inputmode="decimal" autocomplete="off" value={text} {oninput} aria-invalid={invalid.to_string()}
                aria-describedby={format!("{hint_id} {refusal_id}")} data-testid={id}
                placeholder={(field == Field::Threshold).then(|| own_threshold.to_string())} />
            if let Some(hint) = hint {
                <p class="hint" id={hint_id}>{ hint }</p>
            }
            <RefusalView {field} form={form.clone()} />
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct RefusalProps {
    field: Field,
    form: Form,
}

/// Why a field is refused, for the field to point at.
#[component]
fn RefusalView(props: &RefusalProps) -> Html {
    let (_, texts) = use_language();
    let Some(refusal) = props.form.refusal(props.field) else { return Html::default() };
    html! {
        <p class="refusal" id={format!("{}-refusal", props.field.name())} role="status">
            { fill(texts.invalid, &[&refusal.value, &refusal.allowed]) }
        </p>
    }
}
