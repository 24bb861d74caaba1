//! What the person typed into the settings, as text; the URL's query and [`Settings`] are made of it.
//!
//! Free of the browser's API, so that its tests run natively.

use steadymask_core::{Error, LookAhead, Method, Settings};

/// A setting with one value, all of [`Settings`] but the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// [`Settings::method`]
    Method,
    /// [`Settings::window_size`]
    WindowSize,
    /// [`Settings::alpha`]
    Alpha,
    /// [`Settings::ratio`]
    Ratio,
    /// [`Settings::high`]
    High,
    /// [`Settings::low`]
    Low,
    /// [`Settings::look_ahead`]
    LookAhead,
    /// [`Settings::threshold`]
    Threshold,
    /// [`Settings::decay`]
    Decay,
    /// [`Settings::color_sigma`]
    ColorSigma,
    /// [`Settings::work_side`]
    WorkSide,
    /// [`Settings::input_side`]
    InputSide,
}

impl Field {
    /// All fields, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::Method,
        Self::WindowSize,
        Self::Alpha,
        Self::Ratio,
        Self::High,
        Self::Low,
        Self::LookAhead,
        Self::Threshold,
        Self::Decay,
        Self::ColorSigma,
        Self::WorkSide,
        Self::InputSide,
    ];

    /// The name in URLs, as in the JSON of [`Settings`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::WindowSize => "window_size",
            Self::Alpha => "alpha",
            Self::Ratio => "ratio",
            Self::High => "high",
            Self::Low => "low",
            Self::LookAhead => "look_ahead",
            Self::Threshold => "threshold",
            Self::Decay => "decay",
            Self::ColorSigma => "color_sigma",
            Self::WorkSide => "work_side",
            Self::InputSide => "input_side",
        }
    }

    /// Whether `method` reads this field.
    pub fn is_used_by(self, method: Method) -> bool {
        match self {
            Self::Method | Self::Threshold | Self::WorkSide | Self::InputSide => true,
            Self::WindowSize => matches!(method, Method::MovingAverage | Method::Median),
            Self::Alpha => method == Method::Exponential,
            Self::Ratio => method == Method::Uncertainty,
            Self::High | Self::Low => method == Method::Hysteresis,
            Self::LookAhead | Self::ColorSigma => matches!(method, Method::Consensus | Method::Auto),
            Self::Decay => method == Method::Consensus,
        }
    }

    /// The value in `settings`, as text; empty where the method's own, or the network's, is taken.
    pub fn text_of(self, settings: &Settings) -> String {
        match self {
            Self::Method => settings.method.name().to_owned(),
            Self::WindowSize => settings.window_size.to_string(),
            Self::Alpha => settings.alpha.to_string(),
            Self::Ratio => settings.ratio.to_string(),
            Self::High => settings.high.to_string(),
            Self::Low => settings.low.to_string(),
            Self::LookAhead => settings.look_ahead.to_string(),
            Self::Threshold => settings.threshold.map_or_else(String::new, |threshold| threshold.to_string()),
            Self::Decay => settings.decay.to_string(),
            Self::ColorSigma => settings.color_sigma.to_string(),
            Self::WorkSide => settings.work_side.to_string(),
            Self::InputSide => settings.input_side.map_or_else(String::new, |side| side.to_string()),
        }
    }

    /// Reads `text` into `settings`. What is not a number becomes a value that [`Settings::validate`] refuses,
    /// so that the allowed range is told from one place.
    fn read(self, text: &str, settings: &mut Settings) -> Result<(), Error> {
        let real = || text.replace(',', ".").parse().unwrap_or(f32::NAN);
        let whole = || text.parse().unwrap_or(u32::MAX);
        match self {
            Self::Method => settings.method = text.parse()?,
            Self::WindowSize => settings.window_size = whole(),
            Self::Alpha => settings.alpha = real(),
            Self::Ratio => settings.ratio = real(),
            Self::High => settings.high = real(),
            Self::Low => settings.low = real(),
            Self::LookAhead if text == "all" => settings.look_ahead = LookAhead::All(steadymask_core::All::All),
            Self::LookAhead => settings.look_ahead = LookAhead::Frames(whole()),
            Self::Threshold => settings.threshold = Some(real()),
            Self::Decay => settings.decay = real(),
            Self::ColorSigma => settings.color_sigma = real(),
            Self::WorkSide => settings.work_side = whole(),
            Self::InputSide => settings.input_side = Some(whole()),
        }
        Ok(())
    }
}

/// Why the text of a field is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The text as typed.
    pub value: String,
    /// What is accepted, without words of a language: `0.1–0.9`, `3, 5, 7, 9`.
    pub allowed: String,
}

/// The settings as text. An empty text stands for the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    classes: Vec<String>,
    texts: [String; Field::ALL.len()],
}

impl Form {
    /// Reads the query of a URL, with or without its question mark. Parameters of others are passed over.
    pub fn from_query(query: &str) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs(query) {
            if name == "classes" {
                form.classes = value.split(',').map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect();
            } else if let Some(field) = Field::ALL.into_iter().find(|field| field.name() == name) {
                form.set(field, value);
            }
        }
        form
    }

    /// `query` with this form's parameters in place of those it had; defaults are left out, parameters of
    /// others stay. Without question mark.
    pub fn to_query(&self, query: &str) -> String {
        let mut all: Vec<(String, String)> = pairs(query).filter(|(name, _)| !is_ours(name)).collect();
        if !self.classes.is_empty() {
            all.push(("classes".to_owned(), self.classes.join(",")));
        }
        all.extend(
            Field::ALL
                .map(|field| (field.name().to_owned(), self.text(field).to_owned()))
                .into_iter()
                .filter(|(_, text)| !text.is_empty()),
        );
        query_of(&all)
    }

    /// The classes to keep; empty for everything.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Keeps `class` too, or no longer.
    pub fn toggle_class(&mut self, class: &str) {
        match self.classes.iter().position(|kept| kept == class) {
            Some(at) => _ = self.classes.remove(at),
            None => self.classes.push(class.to_owned()),
        }
    }

    /// Calls the classes as a network does, which has those of these other names, each with its own; whether any was
    /// called otherwise.
    pub fn rename_classes(&mut self, other_names: &[(String, String)]) -> bool {
        let mut renamed = Vec::with_capacity(self.classes.len());
        for class in &self.classes {
            let own = other_names.iter().find_map(|(other, own)| (other == class).then_some(own)).unwrap_or(class);
            if !renamed.contains(own) {
                renamed.push(own.clone());
            }
        }
        let before = std::mem::replace(&mut self.classes, renamed);
        self.classes != before
    }

    /// Keeps every class.
    pub fn keep_everything(&mut self) {
        self.classes.clear();
    }

    /// The text of `field`; empty for the default.
    pub fn text(&self, field: Field) -> &str {
        &self.texts[field as usize]
    }

    /// Sets the text of `field`. The default's own text is kept as empty, so that URLs stay short.
    pub fn set(&mut self, field: Field, text: impl Into<String>) {
        let text = text.into().trim().to_owned();
        let is_default = text == field.text_of(&Settings::default());
        self.texts[field as usize] = if is_default { String::new() } else { text };
    }

    /// The method chosen; the default while the text is refused.
    pub fn method(&self) -> Method {
        self.text(Field::Method).parse().unwrap_or_default()
    }

    /// Why `field` is refused, if it is.
    pub fn refusal(&self, field: Field) -> Option<Refusal> {
        let mut settings = Settings::default();
        let mut read = |field: Field| match self.text(field) {
            "" => Ok(()),
            text => field.read(text, &mut settings),
        };
        // The range of the lower threshold ends at the higher, whose own text is refused elsewhere.
        if field == Field::Low && self.refusal(Field::High).is_none() {
            read(Field::High).ok()?;
        }
        match read(field).and_then(|()| settings.validate()) {
            Err(Error::Setting { field: refused, allowed, .. }) if refused == field.name() => Some(Refusal {
                value: match self.text(field) {
                    "" => field.text_of(&settings),
                    text => text.to_owned(),
                },
                allowed: allowed.replace(" to ", "–").replace(" or ", ", ").replace(",,", ","),
            }),
            _ => None,
        }
    }

    /// The settings, when no field is refused.
    pub fn settings(&self) -> Option<Settings> {
        let mut settings = Settings { classes: self.classes.clone(), ..Settings::default() };
        for field in Field::ALL {
            let text = self.text(field);
            if !text.is_empty() {
                field.read(text, &mut settings).ok()?;
            }
        }
        settings.validate().ok()?;
        Some(settings)
    }
}

/// `query` with parameter `name` set to `value`, or without it for `None`. Without question mark.
pub fn with_parameter(query: &str, name: &str, value: Option<&str>) -> String {
    let mut all: Vec<(String, String)> = pairs(query).filter(|(other, _)| other != name).collect();
    all.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    query_of(&all)
}

/// The last value of parameter `name`.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    pairs(query).filter(|(other, _)| other == name).map(|(_, value)| value).last()
}

fn is_ours(name: &str) -> bool {
    name == "classes" || Field::ALL.iter().any(|field| field.name() == name)
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned()
}

/// Commas stay as they are: they are allowed in a query, and people read it.
fn query_of(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().replace("%2C", ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_makes_a_round_trip() {
        let queries = [
            "",
            "classes=person,dog",
            "classes=person&method=median&window_size=9",
            "method=exponential&alpha=0.45&threshold=0.4",
            "look_ahead=all&decay=0.9&color_sigma=20&work_side=480&input_side=257",
            "method=uncertainty&ratio=0.7",
            "method=hysteresis&high=0.8&low=0.6",
        ];
        for query in queries {
            let form = Form::from_query(query);
            assert_eq!(form.to_query(""), query);
            assert_eq!(Form::from_query(&format!("?{query}")), form);
            let settings = form.settings().expect("in range");
            let mut again = Form::default();
            settings.classes.iter().for_each(|class| again.toggle_class(class));
            Field::ALL.into_iter().for_each(|field| again.set(field, field.text_of(&settings)));
            assert_eq!(again, form, "from the settings of {query:?}");
        }
    }

    #[test]
    fn the_settings_are_those_of_the_query() {
        let settings = Form::from_query("?classes=car,%20dog,&method=median&window_size=7&threshold=0,4").settings();
        let expected = Settings {
            classes: vec!["car".into(), "dog".into()],
            method: Method::Median,
            window_size: 7,
            threshold: Some(0.4),
            ..Settings::default()
        };
        assert_eq!(settings, Some(expected));
        assert_eq!(Form::default().settings(), Some(Settings::default()));
    }

    #[test]
    fn parameters_of_others_stay_and_defaults_are_left_out() {
        let mut form = Form::from_query("device=cpu&alpha=0.5&name=a+b%26c");
        form.set(Field::Alpha, "0.3");
        form.toggle_class("person");
        form.set(Field::Method, "consensus");
        assert_eq!(form.to_query("device=cpu&alpha=0.5&name=a+b%26c"), "device=cpu&name=a+b%26c&classes=person");
        assert_eq!(with_parameter("device=cpu&lang=en", "lang", Some("ru")), "device=cpu&lang=ru");
        assert_eq!(with_parameter("?model=x.safetensors&lang=en", "model", None), "lang=en");
        assert_eq!(parameter("?lang=en&lang=ru", "lang").as_deref(), Some("ru"));
        assert_eq!(parameter("?language=en", "lang"), None);
    }

    #[test]
    fn a_refused_text_tells_what_was_typed_and_what_is_allowed() {
        let cases = [
            (Field::WindowSize, "4", "3, 5, 7, 9"),
            (Field::WindowSize, "-3", "3, 5, 7, 9"),
            (Field::Alpha, "0.95", "0.1–0.9"),
            (Field::Alpha, "much", "0.1–0.9"),
            (Field::Ratio, "NaN", "0–1"),
            (Field::LookAhead, "65", "0–64, \"all\""),
            (Field::LookAhead, "1.5", "0–64, \"all\""),
            (Field::Threshold, "1", "0.05–0.95"),
            (Field::WorkSide, "2", "64–1080"),
        ];
        for (field, text, allowed) in cases {
            let mut form = Form::default();
            form.set(field, text);
            let refusal = form.refusal(field).unwrap_or_else(|| panic!("{field:?} {text} is accepted"));
            assert_eq!((refusal.value.as_str(), refusal.allowed.as_str()), (text, allowed));
            assert_eq!(form.settings(), None);
            form.set(field, "");
            assert_eq!(form.refusal(field), None);
        }
        let form = Form::from_query("method=magic");
        assert!(form.refusal(Field::Method).is_some_and(|refusal| refusal.allowed.contains("median")));
        assert_eq!(form.method(), Method::Consensus);
    }

    #[test]
    fn the_lower_threshold_may_not_be_over_the_higher() {
        let refused = |query: &str, field| Form::from_query(query).refusal(field).map(|r| (r.value, r.allowed));
        let low = |value: &str, allowed: &str| Some((value.to_owned(), allowed.to_owned()));
        assert_eq!(refused("high=0.8&low=0.6", Field::Low), None);
        assert_eq!(refused("high=0.6&low=0.8", Field::Low), low("0.8", "0.05–0.6"));
        assert_eq!(refused("high=0.6&low=0.8", Field::High), None);
        assert_eq!(refused("high=0.06", Field::Low), low("0.1", "0.05–0.06"), "the default is refused, too");
        assert_eq!(refused("high=2&low=0.3", Field::Low), None);
        assert_eq!(refused("high=2&low=0.3", Field::High), low("2", "0.05–0.95"));
    }

    #[test]
    fn classes_go_by_the_networks_names() {
        let mut form = Form::from_query("classes=couch,dog,sofa");
        let other_names = [("couch".to_owned(), "sofa".to_owned()), ("tv".to_owned(), "tvmonitor".to_owned())];
        assert!(form.rename_classes(&other_names));
        assert_eq!(form.classes(), ["sofa", "dog"]);
        assert!(!form.rename_classes(&other_names));
    }

    #[test]
    fn classes_toggle() {
        let mut form = Form::from_query("classes=person");
        form.toggle_class("dog");
        form.toggle_class("person");
        assert_eq!(form.classes(), ["dog"]);
        form.keep_everything();
        assert!(form.classes().is_empty());
    }
}
