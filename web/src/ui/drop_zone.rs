use web_sys::{DataTransfer, File, HtmlInputElement};
use yew::prelude::*;

/// See [`DropZone`].
#[derive(Properties, PartialEq)]
pub struct DropZoneProps {
    /// The line that asks for a file.
    pub prompt: AttrValue,
    /// The line while a file hangs over the zone.
    pub release: AttrValue,
    /// Name of the button that opens the file picker.
    pub choose: AttrValue,
    /// A file was dropped or picked.
    pub on_file: Callback<File>,
    /// What stands beside the button, and below it.
    pub children: Html,
}

/// Takes a video by drag and drop or from the file picker.
#[component]
pub fn DropZone(props: &DropZoneProps) -> Html {
    let over = use_state_eq(|| false);
    let set_over = |value: bool| {
        let over = over.clone();
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            over.set(value);
        })
    };
    let ondrop = {
        let (over, on_file) = (over.clone(), props.on_file.clone());
        Callback::from(move |event: DragEvent| {
            event.prevent_default();
            event.stop_propagation();
            over.set(false);
            if let Some(file) = event.data_transfer().as_ref().and_then(dropped_file) {
                on_file.emit(file);
            }
        })
    };
    html! {
        <div class={classes!("drop-zone", over.then_some("over"))} data-testid="drop-zone"
            ondragenter={set_over(true)} ondragover={set_over(true)} ondragleave={set_over(false)} {ondrop}>
            <p class="drop-prompt">{ if *over { &props.release } else { &props.prompt } }</p>
            <div class="drop-actions">
                <FileButton label={props.choose.clone()} on_file={props.on_file.clone()} primary=true test_id="file-input" />
                { props.children.clone() }
            </div>
        </div>
    }
}

/// The first file of a drop.
pub fn dropped_file(data: &DataTransfer) -> Option<File> {
    data.files()?.get(0)
}

/// See [`FileButton`].
#[derive(Properties, PartialEq)]
pub struct FileButtonProps {
    /// Name of the button.
    pub label: AttrValue,
    /// A file was picked.
    pub on_file: Callback<File>,
    /// Name for tests.
    pub test_id: AttrValue,
    /// Which files to offer: media types and endings.
    #[prop_or("video/*,.mkv,.mov".into())]
    pub accept: AttrValue,
    /// Whether it is what people come to press.
    #[prop_or_default]
    pub primary: bool,
}

/// A file picker that looks like a button. It is a real `<input type="file">` under its label, so that keyboards
/// and screen readers meet what they know.
#[component]
pub fn FileButton(props: &FileButtonProps) -> Html {
    let onchange = {
        let on_file = props.on_file.clone();
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                on_file.emit(file);
            }
            // The same file can be picked again.
            input.set_value("");
        })
    };
    html! {
        <label class={classes!("button", "file-button", props.primary.then_some("primary"))}>
            <input type="file" accept={&props.accept} {onchange} data-testid={&props.test_id} />
            <span>{ &props.label }</span>
        </label>
    }
}
