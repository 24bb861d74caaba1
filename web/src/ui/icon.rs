use yew::prelude::*;

/// The pictures that buttons carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IconName {
    /// To the first.
    First,
    /// One back.
    Previous,
    /// One on.
    Next,
    /// To the last.
    Last,
    /// Run.
    Play,
    /// Hold.
    Pause,
    /// Save a file.
    Download,
    /// Kept private.
    Lock,
    /// A processor.
    Chip,
    /// Close.
    Close,
}

/// See [`Icon`].
#[derive(Properties, PartialEq)]
pub struct IconProps {
    /// Which one.
    pub name: IconName,
}

/// A picture of 20×20 units in the colour of the text around it. Says nothing to a screen reader.
#[component]
pub fn Icon(props: &IconProps) -> Html {
    let path = match props.name {
        IconName::First => "M5 4v12M15 4.5 8.5 10l6.5 5.5",
        IconName::Previous => "M12.5 4.5 6 10l6.5 5.5",
        IconName::Next => "M7.5 4.5 14 10l-6.5 5.5",
        IconName::Last => "M15 4v12M5 4.5 11.5 10 5 15.5",
        IconName::Play => "M6.5 4v12l9.5-6z",
        IconName::Pause => "M7 4v12M13 4v12",
        IconName::Download => "M10 3v9.5M6 9l4 4 4-4M4 16.5h12",
        IconName::Lock => "M5 9.5h10v7H5zM7 9.5V7a3 3 0 0 1 6 0v2.5",
        IconName::Chip => "M6 6h8v8H6zM8 3v3M12 3v3M8 14v3M12 14v3M3 8h3M3 12h3M14 8h3M14 12h3",
        IconName::Close => "M5 5l10 10M15 5 5 15",
    };
    html! { <svg class="icon" viewBox="0 0 20 20" aria-hidden="true"><path d={path} /></svg> }
}
