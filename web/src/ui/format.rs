//! Numbers as people read them.
//!
//! Free of the browser's API, so that its tests run natively.

use crate::i18n::Language;

/// `value` with `decimals` digits after the language's decimal sign.
pub fn number(value: f64, decimals: usize, language: Language) -> String {
    let text = format!("{value:.decimals$}").replace('-', "−");
    match language {
        Language::English => text,
        Language::Russian => text.replace('.', ","),
    }
}

/// `value` with at most one digit after the decimal sign: `25`, `29.97` as `30`, `12.5`.
pub fn number_short(value: f64, language: Language) -> String {
    let decimals = usize::from((value * 10.0).round() % 10.0 != 0.0);
    number(value, decimals, language)
}

/// A share of 0 to 1 in percent, with one digit after the decimal sign.
pub fn percent(share: f64, language: Language) -> String {
    format!("{}\u{202f}%", number(share * 100.0, 1, language))
}

/// A share of 0 to 1 in whole percent.
pub fn percent_whole(share: f64) -> String {
    format!("{:.0}\u{202f}%", share * 100.0)
}

/// The change from `before` to `after`, in percent of `before`, with its sign; `None` where `before` is 0.
pub fn change(before: f64, after: f64, language: Language) -> Option<String> {
    let percent = (after - before) / before * 100.0;
    let sign = if percent.round() > 0.0 { "+" } else { "" };
    // Without `+ 0.0` a change that rounds to nothing would read as “−0”.
    percent.is_finite().then(|| format!("{sign}{}\u{202f}%", number(percent.round() + 0.0, 0, language)))
}

/// A number of bytes in megabytes of a million.
pub fn bytes(count: u64, language: Language) -> String {
    format!("{}\u{202f}{}", number(count as f64 / 1e6, 1, language), language.texts().megabytes)
}

/// A time as `m:ss`, or `h:mm:ss` from one hour on; rounded up to whole seconds, so that “0:00” means over.
pub fn clock(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0).ceil() as u64 } else { 0 };
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_megabytes() {
        assert_eq!(bytes(4_205_346, Language::English), "4.2\u{202f}MB");
        assert_eq!(bytes(0, Language::Russian), "0,0\u{202f}МБ");
    }

    #[test]
    fn times_are_rounded_up_and_grow_an_hour() {
        let cases = [
            (0.0, "0:00"),
            (0.2, "0:01"),
            (59.0, "0:59"),
            (59.01, "1:00"),
            (754.0, "12:34"),
            (3599.5, "1:00:00"),
            (7325.0, "2:02:05"),
            (-3.0, "0:00"),
            (f64::NAN, "0:00"),
            (f64::INFINITY, "0:00"),
        ];
        for (seconds, text) in cases {
            assert_eq!(clock(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(number(12.345, 1, Language::English), "12.3");
        assert_eq!(number(-12.345, 2, Language::Russian), "−12,35");
        assert_eq!(number_short(29.97, Language::English), "30");
        assert_eq!(number_short(12.5, Language::Russian), "12,5");
        assert_eq!(percent(0.3054, Language::Russian), "30,5\u{202f}%");
    }

    #[test]
    fn a_change_carries_its_sign() {
        let english = |before, after| change(before, after, Language::English);
        assert_eq!(english(0.4, 0.1).as_deref(), Some("−75\u{202f}%"));
        assert_eq!(english(0.5, 0.6).as_deref(), Some("+20\u{202f}%"));
        assert_eq!(english(0.5, 0.4999).as_deref(), Some("0\u{202f}%"));
        assert_eq!(english(0.0, 0.1), None);
        assert_eq!(english(0.0, 0.0), None);
    }
}
