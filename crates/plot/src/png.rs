//! SVG becomes PNG, with a font that comes along.

use resvg::{
    render,
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree},
};

/// The family that the font brought along belongs to, light as it is.
pub(crate) const FAMILY: &str = "Ubuntu";

/// Why a picture could not be painted.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// The text is no SVG that can be read.
    #[error("the picture cannot be read: {0}")]
    Svg(#[from] resvg::usvg::Error),
    /// It has no size that can be painted.
    #[error("a picture of {0}x{1} cannot be painted")]
    Size(u32, u32),
    /// It was painted and cannot be written.
    #[error("the picture cannot be written: {0}")]
    Encode(String),
}

/// The bytes of a PNG of this SVG, a pixel for each of its units.
pub fn png(svg: &str) -> Result<Vec<u8>, PngError> {
    let mut options = Options { font_family: FAMILY.to_owned(), ..Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family(FAMILY);
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    let mut pixels = Pixmap::new(width, height).ok_or(PngError::Size(width, height))?;
    render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| PngError::Encode(error.to_string()))
}
