//! A frame and its masks, before left of the divider and after right of it, on a canvas.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap, window};

use crate::engine::protocol::Picture;

/// How masks are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// A tint with a contour over the frame.
    #[default]
    Overlay,
    /// The mask alone, white on black.
    Mask,
    /// What the mask keeps of the frame.
    Cutout,
}

impl Look {
    /// All looks, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Overlay, Self::Mask, Self::Cutout];

    /// A name for attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Mask => "mask",
            Self::Cutout => "cutout",
        }
    }
}

/// How strongly the tint covers the frame.
const TINT: f64 = 0.38;
/// How much of the frame is left outside a cut-out.
const GHOST: f64 = 0.12;
/// Width of the contour on the screen, in CSS pixels.
const CONTOUR: f64 = 1.5;

/// What lies over a frame, painted once a picture: moving the divider only puts the two together anew.
pub struct Layers {
    before: HtmlCanvasElement,
    after: HtmlCanvasElement,
}

impl Layers {
    /// Layers without anything on them.
    ///
    /// # Errors
    /// When the browser refuses a canvas.
    pub fn new() -> Result<Self, JsValue> {
        let document = window().and_then(|window| window.document()).ok_or("no document")?;
        let canvas = || Ok::<_, JsValue>(document.create_element("canvas")?.unchecked_into());
        Ok(Self { before: canvas()?, after: canvas()? })
    }

    /// Paints the masks of `picture`, if it has them, before and after in these two `colors`, for a canvas that is
    /// shown `shown_width` CSS pixels wide.
    ///
    /// # Errors
    /// When the browser refuses to draw.
    pub fn paint(&self, picture: &Picture, look: Look, colors: [&str; 2], shown_width: f64) -> Result<(), JsValue> {
        let Some(masks) = &picture.masks else { return Ok(()) };
        let radius = (CONTOUR * f64::from(picture.frame.width()) / shown_width.max(1.0)).max(1.0);
        let layers = [(&self.before, &masks.raw, colors[0]), (&self.after, &masks.stabilized, colors[1])];
        for (canvas, mask, color) in layers {
            // Setting the size clears the canvas and puts its state back.
            canvas.set_width(mask.width());
            canvas.set_height(mask.height());
            let context = context(canvas)?;
            match look {
                Look::Overlay => tint(&context, mask, color, radius)?,
                Look::Mask => context.draw_image_with_image_bitmap(mask, 0.0, 0.0)?,
                Look::Cutout => {
                    context.draw_image_with_image_bitmap(mask, 0.0, 0.0)?;
                    context.set_global_composite_operation("source-in")?;
                    context.draw_image_with_image_bitmap(&picture.frame, 0.0, 0.0)?;
                }
            }
        }
        Ok(())
    }
}

/// Draws `picture` with the `layers` painted for it, divided at `divider` percent of the width.
///
/// # Errors
/// When the browser refuses to draw.
pub fn draw(
    canvas: &HtmlCanvasElement,
    picture: &Picture,
    layers: &Layers,
    look: Look,
    divider: f64,
) -> Result<(), JsValue> {
    let (width, height) = (picture.frame.width(), picture.frame.height());
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = context(canvas)?;
    let (width, height) = (f64::from(width), f64::from(height));
    context.set_fill_style_str("black");
    context.fill_rect(0.0, 0.0, width, height);
    let has_masks = picture.masks.is_some();
    context.set_global_alpha(match look {
        Look::Mask if has_masks => 0.0,
        Look::Cutout if has_masks => GHOST,
        _ => 1.0,
    });
    context.draw_image_with_image_bitmap(&picture.frame, 0.0, 0.0)?;
    context.set_global_alpha(1.0);
    if has_masks {
        let middle = (width * divider / 100.0).round();
        for (layer, from, to) in [(&layers.before, 0.0, middle), (&layers.after, middle, width)] {
            if to > from {
                context.draw_image_with_html_canvas_element_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
                    layer,
                    from,
                    0.0,
                    to - from,
                    height,
                    from,
                    0.0,
                    to - from,
                    height,
                )?;
            }
        }
    }
    Ok(())
}

/// Draws `mask` in `color`: half transparent inside, with an opaque contour of `radius` pixels around it.
fn tint(context: &CanvasRenderingContext2d, mask: &ImageBitmap, color: &str, radius: f64) -> Result<(), JsValue> {
    for (dx, dy) in [(-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1)] {
        context.draw_image_with_image_bitmap(mask, radius * f64::from(dx), radius * f64::from(dy))?;
    }
    context.set_global_composite_operation("destination-out")?;
    context.draw_image_with_image_bitmap(mask, 0.0, 0.0)?;
    context.set_global_composite_operation("source-over")?;
    context.set_global_alpha(TINT);
    context.draw_image_with_image_bitmap(mask, 0.0, 0.0)?;
    context.set_global_alpha(1.0);
    context.set_global_composite_operation("source-in")?;
    context.set_fill_style_str(color);
    context.fill_rect(0.0, 0.0, f64::from(mask.width()), f64::from(mask.height()));
    Ok(())
}

fn context(canvas: &HtmlCanvasElement) -> Result<CanvasRenderingContext2d, JsValue> {
    Ok(canvas.get_context("2d")?.ok_or("no canvas")?.unchecked_into())
}
