use yew::prelude::*;

/// See [`Choice`].
#[derive(Properties, PartialEq)]
pub struct ChoiceProps {
    /// What is chosen, for a screen reader.
    pub label: AttrValue,
    /// The value of each option and its name.
    pub options: Vec<(AttrValue, AttrValue)>,
    /// The value chosen.
    pub value: AttrValue,
    /// Another value was chosen.
    pub on_choose: Callback<AttrValue>,
    /// Name for tests.
    pub test_id: AttrValue,
}

/// A few options side by side, one of them on.
#[component]
pub fn Choice(props: &ChoiceProps) -> Html {
    let option = |(value, name): &(AttrValue, AttrValue)| {
        let onclick = {
            let (on_choose, value) = (props.on_choose.clone(), value.clone());
            Callback::from(move |_: MouseEvent| on_choose.emit(value.clone()))
        };
        let pressed = (*value == props.value).to_string();
        html! { <button type="button" aria-pressed={pressed} data-value={value} {onclick}>{ name }</button> }
    };
    html! {
        <div class="choice" role="group" aria-label={&props.label} data-testid={&props.test_id}>
            { for props.options.iter().map(option) }
        </div>
    }
}
