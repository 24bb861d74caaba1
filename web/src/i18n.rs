//! Every word the page says, in English and Russian, in one table.
//!
//! Free of the browser's API, so that its tests run natively.

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Russian.
    Russian,
}

impl Language {
    /// All languages, in the order of the switch.
    pub const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// The code of BCP 47, as in `<html lang>` and in the URL.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    /// The language's name in itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Russian => "Русский",
        }
    }

    /// The language that a tag such as `ru`, `ru-RU` or `en-GB` asks for.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|language| language.code() == primary)
    }

    /// The first of `tags` that the page speaks, else English. `tags` in falling order of preference.
    pub fn choose<'a>(tags: impl IntoIterator<Item = &'a str>) -> Self {
        tags.into_iter().find_map(Self::from_tag).unwrap_or(Self::English)
    }

    /// The words of this language.
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::Russian => &RUSSIAN,
        }
    }

    /// The word for a class of the model's card; the card's own name where there is none.
    pub fn class(self, name: &str) -> &str {
        let found = CLASSES.iter().find(|(card, ..)| *card == name);
        match (found, self) {
            (Some((_, english, _)), Self::English) => english,
            (Some((.., russian)), Self::Russian) => russian,
            (None, _) => name,
        }
    }
}

/// `template` with its `{}` replaced, in order, by `values`.
pub fn fill(template: &str, values: &[&str]) -> String {
    let mut parts = template.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(values) {
        text.push_str(value);
        text.push_str(part);
    }
    text
}

macro_rules! texts {
    ($($key:ident: $english:literal, $russian:literal;)*) => {
        /// The words of one language. `{}` marks a place for a value, see [`fill`].
        #[derive(Debug, PartialEq)]
        #[expect(missing_docs, reason = "the key says it; the words stand in the table below")]
        pub struct Texts { $(pub $key: &'static str,)* }

        const ENGLISH: Texts = Texts { $($key: $english,)* };
        const RUSSIAN: Texts = Texts { $($key: $russian,)* };

        /// `(key, English, Russian)` of every row.
        #[cfg(test)]
        const ROWS: &[(&str, &str, &str)] = &[$((stringify!($key), $english, $russian),)*];
    };
}

texts! {
    headline: "Video masks that stay put", "Маски видео без дрожи";
    promise: "Drop a clip, choose what to keep, and get steady masks instead of flickering ones, with numbers that prove it",
        "Перетащите видео, выберите объекты и получите устойчивые маски вместо мерцающих, с числами в доказательство";
    figure: "Four frames of one clip: above, the masks of each frame on its own flicker; below, the stabilized ones hold",
        "Четыре кадра одного видео: сверху покадровые маски мерцают, снизу стабилизированные держат форму";
    figure_before: "Frame by frame", "По кадрам";
    figure_after: "Stabilized", "Стабилизировано";
    drop_here: "Drop a video here", "Перетащите видео сюда";
    drop_release: "Let go to open it", "Отпустите, чтобы открыть";
    or: "or", "или";
    choose_video: "Choose a video…", "Выбрать видео…";
    try_sample: "Try the sample", "Открыть пример";
    formats: "MP4, WebM, MOV or MKV that this browser can play", "MP4, WebM, MOV или MKV, которые умеет этот браузер";
    privacy: "Everything runs in this tab: your video is never uploaded",
        "Всё считается в этой вкладке: видео никуда не загружается";
    another_video: "Open another video…", "Открыть другое видео…";
    language: "Language", "Язык";

    device_waiting: "Looking for the fastest device…", "Ищем самое быстрое устройство…";
    device: "Runs on {}", "Работает на {}";
    device_cpu: "the CPU", "процессоре";
    device_webgpu: "the GPU, through WebGPU", "видеокарте, через WebGPU";

    opening: "Opening the video…", "Открываем видео…";
    loading_sample: "Fetching the sample…", "Загружаем пример…";
    frames: "{} frames", "кадров: {}";
    fps: "{} fps", "{} кадр/с";

    settings: "Settings", "Настройки";
    keep: "Keep", "Что оставить";
    everything: "Everything", "Всё";
    method: "Method", "Метод";
    method_auto: "Auto: try methods on a sample", "Авто: испытать методы на выборке";
    method_none: "None: masks as they came", "Без стабилизации";
    method_moving_average: "Moving average", "Скользящее среднее";
    method_median: "Median", "Медиана";
    method_exponential: "Exponential smoothing", "Экспоненциальное сглаживание";
    method_uncertainty: "Uncertainty-weighted smoothing", "Сглаживание по неуверенности";
    method_hysteresis: "Hysteresis and persistence", "Гистерезис и постоянство";
    method_consensus: "Motion-compensated consensus", "Консенсус с учётом движения";
    about_auto: "Tries every method on a few stretches of the clip, shows the trade-off, and goes on with the best",
        "Испытывает все методы на нескольких отрезках видео, показывает сравнение и продолжает с лучшим";
    about_none: "What the network says, frame by frame", "То, что говорит сеть, кадр за кадром";
    about_moving_average: "Mean of neighbouring frames; calm, but trails behind motion",
        "Среднее соседних кадров; спокойно, но отстаёт от движения";
    about_median: "Majority of neighbouring frames; drops single bad frames",
        "Большинство соседних кадров; убирает одиночные сбои";
    about_exponential: "Each frame leans on the one before it", "Каждый кадр опирается на предыдущий";
    about_uncertainty: "Only pixels the network is unsure of lean on the past",
        "На прошлое опираются лишь те точки, в которых сеть не уверена";
    about_hysteresis: "Hard to enter the mask, easy to stay; specks and holes that do not last are dropped",
        "В маску трудно попасть, легко остаться; недолгие крапинки и дыры убираются";
    about_consensus: "Evidence of past and future frames, carried along the motion and fused",
        "Свидетельства прошлых и будущих кадров переносятся вдоль движения и сливаются";
    window_size: "Window, frames", "Окно, кадров";
    alpha: "Weight of the present frame", "Вес текущего кадра";
    ratio: "Share of the past", "Доля прошлого";
    high: "Probability to enter", "Вероятность для входа";
    low: "Probability to stay", "Вероятность, чтобы остаться";
    look_ahead: "Look-ahead, frames", "Заглядывание вперёд, кадров";
    look_ahead_hint: "0 uses the past only, “all” the whole clip", "0: только прошлое, «all»: всё видео";
    decay: "Evidence carried on", "Доля переносимых свидетельств";
    color_sigma: "Colour difference that breaks trust", "Разница цвета, при которой пропадает доверие";
    threshold: "Mask threshold", "Порог маски";
    threshold_hint: "Empty: the method’s own, {}", "Пусто: своё у метода, {}";
    work_side: "Working size, short side in pixels", "Рабочий размер, короткая сторона в пикселях";
    input_side: "What the network sees, short side in pixels", "Что видит сеть, короткая сторона в пикселях";
    input_side_hint: "Empty: the network’s own. Less is faster; small things need more",
        "Пусто: своё у сети. Меньше — быстрее, мелкому нужно больше";
    network: "Network", "Сеть";
    network_site: "The site's own", "Сеть сайта";
    network_file: "Open weights…", "Открыть веса…";
    network_hint: "Weights in safetensors, as the command line's models import makes them; they stay in this browser",
        "Веса в safetensors, как их делает команда models import; они остаются в этом браузере";
    network_forget: "Forget", "Забыть";
    network_loading: "Loading the network", "Загрузка сети";
    of: "{} of {}", "{} из {}";
    megabytes: "MB", "МБ";
    advanced: "More settings", "Ещё настройки";
    invalid: "{} is not accepted here; allowed: {}", "{} здесь не подходит; допустимо: {}";
    no_such_class: "The model has no class “{}”; it has: {}", "У модели нет класса «{}»; есть: {}";
    stabilize: "Stabilize video", "Стабилизировать видео";
    stabilize_again: "Stabilize again", "Стабилизировать снова";
    settings_changed: "The result below is of the earlier settings", "Результат получен с прежними настройками";

    preparing: "Preparing the network…", "Готовим сеть…";
    running: "Stabilizing", "Стабилизация";
    trying: "Trying methods on a sample", "Испытываем методы на выборке";
    progress: "{} of {} frames", "{} из {} кадров";
    speed: "{} frames a second", "{} кадра в секунду";
    time_left: "{} left", "осталось {}";
    done_in: "Done: {} frames in {}", "Готово: кадров {}, время {}";
    cancel: "Cancel", "Отменить";

    viewer: "Frame viewer", "Просмотр кадров";
    before: "Before", "До";
    after: "After", "После";
    compare: "Before and after: position of the divider", "До и после: положение границы";
    compare_value: "{} % before", "{} % «до»";
    view: "View", "Вид";
    view_overlay: "Overlay", "Наложение";
    view_mask: "Mask", "Маска";
    view_cutout: "Cut-out", "Вырезка";
    frame: "Frame", "Кадр";
    frame_of: "of {}", "из {}";
    first_frame: "First frame", "Первый кадр";
    previous_frame: "Previous frame", "Предыдущий кадр";
    next_frame: "Next frame", "Следующий кадр";
    last_frame: "Last frame", "Последний кадр";
    play: "Play", "Воспроизвести";
    pause: "Pause", "Пауза";
    keys: "← → step, Home and End jump, space plays", "← → шаг, Home и End в начало и конец, пробел: пуск";
    timeline: "Timeline", "Шкала времени";
    frame_lost: "This frame could not be drawn: {}", "Этот кадр не удалось показать: {}";

    stability: "Flicker per frame", "Мерцание по кадрам";
    stability_hint: "Share of the mask that changed against the motion; click a spike to see its frame",
        "Доля маски, изменившаяся вопреки движению; щёлкните по пику, чтобы увидеть кадр";
    plot: "Motion-compensated instability per frame: {} before, {} after on average",
        "Нестабильность с учётом движения по кадрам: в среднем {} до, {} после";
    scene_cut: "Scene cut", "Смена сцены";
    worst_frames: "Most flicker at frame", "Сильнее всего на кадрах";

    trade_off: "Methods tried on a sample", "Методы, испытанные на выборке";
    proposed: "Proposed: {}", "Предложено: {}";
    proposed_highest: "Its estimated quality was the highest on {} sampled frames",
        "Его оценка качества оказалась лучшей на выборке из {} кадров";
    proposed_default: "The default: on {} sampled frames nothing was estimated to be clearly better",
        "Метод по умолчанию: на выборке из {} кадров ничто не оказалось заметно лучше";
    proposed_nothing: "The default: nothing was found on {} sampled frames, so there is nothing to compare",
        "Метод по умолчанию: на выборке из {} кадров ничего не найдено, сравнивать нечего";
    trade_off_plot: "Estimated quality against steadiness of {} candidates; proposed: {}. The table below tells the same",
        "Оценка качества и устойчивость, вариантов: {}; предложено: {}. То же в таблице ниже";
    quality: "Estimated quality", "Оценка качества";
    steadiness: "Steadiness along the motion", "Устойчивость вдоль движения";
    agreement: "Agreement with masks as they came", "Совпадение с исходными масками";
    legend_proposed: "Proposed", "Предложено";
    legend_tried: "Tried", "Испытано";
    legend_before: "Masks as they came", "Маски без обработки";
    trade_off_table: "All figures", "Все числа";
    trade_off_note: "Quality is estimated without ground truth and ranks; steadiness does not: an empty mask is perfectly steady",
        "Качество оценено без эталона и определяет порядок; устойчивость не определяет: пустая маска совершенно устойчива";

    metrics: "Metrics", "Метрики";
    metric: "Metric", "Метрика";
    change: "Change", "Разница";
    honest: "Measured along the motion", "С учётом движения";
    classic: "Classic, frame against frame", "Классические, кадр к кадру";
    estimated_quality: "Estimated quality", "Оценка качества";
    edge_alignment: "Contour on picture edges", "Контур на границах изображения";
    area_drift: "Area drift", "Дрейф площади";
    motion_compensated_instability: "Motion-compensated instability", "Нестабильность с учётом движения";
    area: "Mean mask area", "Средняя площадь маски";
    instability: "Instability, 1 − IoU", "Нестабильность, 1 − IoU";
    iou: "IoU of neighbours", "IoU соседних кадров";
    dice: "Dice of neighbours", "Dice соседних кадров";
    classic_note: "Classic scores reward a frozen mask: where objects move, even a perfect mask is not at 100 %",
        "Классические оценки поощряют застывшую маску: при движении и безупречная маска не даст 100 %";
    estimate_note: "An estimate without ground truth, over pixels whose motion can be trusted",
        "Оценка без эталона, по точкам, движению которых можно верить";

    downloads: "Download", "Скачать";
    download_masks: "Masks, PNG in a zip", "Маски, PNG в zip";
    download_raw: "Masks before stabilizing, zip", "Маски до стабилизации, zip";
    download_overlay: "Overlay video", "Видео с наложением";
    download_metrics: "Metrics, JSON", "Метрики, JSON";
    download_busy: "Writing…", "Записываем…";

    error: "That did not work", "Не получилось";
    error_start: "The network could not be started in this browser; load the page again, or use a current browser",
        "Сеть не запустилась в этом браузере; перезагрузите страницу или возьмите свежий браузер";
    error_no_webcodecs: "This browser cannot decode video for the page; use a current Chrome, Edge, Safari or Firefox",
        "Этот браузер не умеет декодировать видео для страницы; возьмите свежий Chrome, Edge, Safari или Firefox";
    error_not_a_video: "This is not a video that can be read; choose an MP4, WebM, MOV or MKV file",
        "Это не видео, которое можно прочитать; выберите файл MP4, WebM, MOV или MKV";
    error_no_video_track: "This file has sound but no picture; choose one with a video track",
        "В этом файле нет изображения; выберите файл с видеодорожкой";
    error_no_frames: "This video has no frames; choose another one", "В этом видео нет кадров; выберите другое";
    error_codec: "This browser cannot decode this video; MP4 with H.264 plays almost everywhere",
        "Этот браузер не декодирует это видео; MP4 с H.264 открывается почти везде";
    error_frame_size: "The frames of this video are too large, or not all of one size; choose another one",
        "Кадры этого видео слишком велики или разного размера; выберите другое";
    error_damaged: "This file is damaged or cut short; choose another copy of it",
        "Файл повреждён или обрывается; выберите другую копию";
    error_settings: "A setting was refused; change it and press the button again",
        "Настройка не принята; измените её и нажмите кнопку ещё раз";
    error_network: "These weights cannot be used; the network before stays in use",
        "Эти веса не подходят; работает прежняя сеть";
    error_order: "That is not possible yet; finish a run first", "Пока это невозможно; сначала завершите обработку";
    error_encode: "The file could not be written; the masks can still be downloaded as PNG",
        "Не удалось записать файл; маски по-прежнему можно скачать как PNG";
    error_internal: "Something broke on our side; load the page again and retry",
        "Что-то сломалось у нас; перезагрузите страницу и попробуйте снова";
    error_reload: "Load again", "Перезагрузить";
    error_dismiss: "Dismiss", "Закрыть";
    error_sample: "The sample could not be fetched ({}); check the connection, or choose a video of your own",
        "Не удалось загрузить пример ({}); проверьте соединение или выберите своё видео";
    no_masks: "Nothing of what you chose was found in this clip; choose other classes and stabilize again",
        "В этом видео не найдено ничего из выбранного; выберите другое и запустите снова";
}

/// `(name on the model's card, English, Russian)` of the PASCAL VOC classes.
const CLASSES: &[(&str, &str, &str)] = &[
    ("aeroplane", "aeroplane", "самолёт"),
    ("bicycle", "bicycle", "велосипед"),
    ("bird", "bird", "птица"),
    ("boat", "boat", "лодка"),
    ("bottle", "bottle", "бутылка"),
    ("bus", "bus", "автобус"),
    ("car", "car", "автомобиль"),
    ("cat", "cat", "кошка"),
    ("chair", "chair", "стул"),
    ("cow", "cow", "корова"),
    ("diningtable", "dining table", "стол"),
    ("dog", "dog", "собака"),
    ("horse", "horse", "лошадь"),
    ("motorbike", "motorbike", "мотоцикл"),
    ("person", "person", "человек"),
    ("pottedplant", "potted plant", "растение в горшке"),
    ("sheep", "sheep", "овца"),
    ("sofa", "sofa", "диван"),
    ("train", "train", "поезд"),
    ("tvmonitor", "TV or monitor", "телевизор"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_speaks_both_languages_with_the_same_places_for_values() {
        for (key, english, russian) in ROWS {
            assert!(!english.trim().is_empty() && !russian.trim().is_empty(), "{key} is empty");
            assert_eq!(english.matches("{}").count(), russian.matches("{}").count(), "places for values in {key}");
            assert!(!english.chars().any(is_cyrillic), "{key} is Russian in the English column");
            let only_symbols = russian.replace("{}", "").chars().all(|c| !c.is_alphabetic());
            assert!(
                only_symbols || russian.chars().any(is_cyrillic) || russian.contains("IoU"),
                "{key} is not Russian"
            );
            for text in [english, russian] {
                assert!(!text.ends_with('.'), "{key} ends with a full stop");
            }
        }
        for (card, english, russian) in CLASSES {
            assert!(!english.is_empty() && russian.chars().all(|c| is_cyrillic(c) || c == ' '), "{card}");
        }
    }

    fn is_cyrillic(c: char) -> bool {
        ('\u{400}'..='\u{4ff}').contains(&c)
    }

    #[test]
    fn the_first_language_that_the_page_speaks_is_chosen() {
        assert_eq!(Language::choose(["de-DE", "ru-RU", "en"]), Language::Russian);
        assert_eq!(Language::choose(["EN-gb", "ru"]), Language::English);
        assert_eq!(Language::choose(["fr"]), Language::English);
        assert_eq!(Language::choose([]), Language::English);
    }

    #[test]
    fn values_fill_their_places_in_order() {
        assert_eq!(fill("{} of {} frames", &["3", "90"]), "3 of 90 frames");
        assert_eq!(fill("no place", &["3"]), "no place");
        assert_eq!(fill("{}", &["{}"]), "{}");
    }

    #[test]
    fn classes_are_named_and_unknown_ones_pass_through() {
        assert_eq!(Language::English.class("diningtable"), "dining table");
        assert_eq!(Language::Russian.class("dog"), "собака");
        assert_eq!(Language::Russian.class("zebra"), "zebra");
    }
}
