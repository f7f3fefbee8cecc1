//! What is asked of a chart: its place, its colours, its size.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use pricepipe_plot::{Size, Theme, least_height};

use crate::rows::Output;

/// A picture is so large when nothing is said, and higher where its panels need it.
const USUAL: Size = Size { width: 1200, height: 675 };
/// Bounds of each side, and of the pixels, which a PNG keeps in memory.
const SIDES: std::ops::RangeInclusive<u32> = 300..=8_000;
const MOST_PIXELS: u32 = 3_840 * 2_160;
/// Nobody reads more panels than this, and each takes some memory.
const MOST_PANELS: f64 = 100.0;
const TOO_MANY: &str = "these are too many symbols for one chart; choose some with --symbol";

#[derive(Debug, Args)]
pub(crate) struct PlotArgs {
    /// Draw a chart: into FILE.svg or FILE.png beside the rows, or as text instead of them
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub plot: Option<Option<PictureFile>>,
    /// The picture's colours [default: light]
    #[arg(long, value_enum, requires = "plot")]
    pub theme: Option<ThemeName>,
    /// The picture's size in pixels [default: 1200x675, higher for many symbols]
    #[arg(long, value_name = "WIDTHxHEIGHT", requires = "plot")]
    pub size: Option<PictureSize>,
}

/// What a picture is looked at on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ThemeName {
    Light,
    Dark,
}

/// A picture's file. Its name says what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PictureFile {
    pub path: PathBuf,
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Svg,
    Png,
}

impl FromStr for PictureFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let format = match extension.as_deref() {
            Some("svg") => Format::Svg,
            Some("png") => Format::Png,
            _ => return Err("a picture is an .svg or a .png file, as in prices.svg".to_owned()),
        };
        Ok(PictureFile { path, format })
    }
}

/// A size within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureSize(pub Size);

impl FromStr for PictureSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse().ok().filter(|side| SIDES.contains(side));
        let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
        match sides {
            Some((width, height)) if width * height <= MOST_PIXELS => Ok(PictureSize(Size { width, height })),
            _ => Err(format!(
                "not WIDTHxHEIGHT, as in 1200x675: {} to {} each, and no more pixels than 3840x2160 has",
                SIDES.start(),
                SIDES.end()
            )),
        }
    }
}

impl fmt::Display for PictureSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.0.width, self.0.height)
    }
}

/// Where the chart goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Picture { file: PictureFile, size: Size, theme: Theme },
    Text,
}

impl PlotArgs {
    /// Where the chart goes, if one is wanted, for panels of these heights together: 1 for a whole one.
    pub(crate) fn medium(&self, output: Output, panels: f64) -> Result<Option<Medium>, String> {
        match &self.plot {
            None => Ok(None),
            Some(_) if panels > MOST_PANELS => Err(TOO_MANY.to_owned()),
            Some(None) => self.text(output).map(Some),
            Some(Some(file)) => {
                let folder = file.path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                    let (file, folder) = (file.path.display(), folder.display());
                    return Err(format!("--plot {file}: there is no folder {folder}; make it first"));
                }
                let size = self.fitting(panels)?;
                let theme = match self.theme {
                    Some(ThemeName::Dark) => Theme::Dark,
                    Some(ThemeName::Light) | None => Theme::Light,
                };
                Ok(Some(Medium::Picture { file: file.clone(), size, theme }))
            }
        }
    }

    fn text(&self, output: Output) -> Result<Medium, String> {
        let told = match (output, self.theme, self.size) {
            (Output::Table, None, None) => return Ok(Medium::Text),
            (Output::Table, Some(_), _) => "--theme is for pictures".to_owned(),
            (Output::Table, None, Some(size)) => format!("--size {size} is for pictures"),
            (output, ..) => {
                let name = output.to_possible_value().map(|value| value.get_name().to_owned());
                format!("--output {} is for rows", name.unwrap_or_default())
            }
        };
        Err(format!(
            "{told}, and --plot without a file draws text instead; name one, as in --plot prices.svg"
        ))
    }

    /// The size that was asked for, or the usual one with enough height for the panels.
    fn fitting(&self, panels: f64) -> Result<Size, String> {
        let width = self.size.map_or(USUAL.width, |size| size.0.width);
        let least = least_height(panels, width);
        if least > *SIDES.end() || least * width > MOST_PIXELS {
            return Err(TOO_MANY.to_owned());
        }
        match self.size {
            Some(size) if size.0.height < least => Err(format!(
                "--size {size} is too low for so many symbols; write {width}x{least} or more, or choose some with \
                 --symbol"
            )),
            Some(size) => Ok(size.0),
            None => Ok(Size { height: USUAL.height.max(least), ..USUAL }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(plot: Option<&str>, theme: Option<ThemeName>, size: Option<&str>) -> PlotArgs {
        let plot = Some(plot.map(|file| file.parse().unwrap()));
        PlotArgs { plot, theme, size: size.map(|size| size.parse().unwrap()) }
    }

    #[test]
    fn the_name_of_a_file_says_what_it_holds() {
        let format = |text: &str| text.parse::<PictureFile>().map(|file| file.format);
        assert_eq!((format("a.svg"), format("b/c.PNG")), (Ok(Format::Svg), Ok(Format::Png)));
        for text in ["a.jpg", "svg", "", "a.svg.gz"] {
            let error = format(text).unwrap_err();
            assert!(error.contains(".svg") && error.contains(".png"), "{error}");
        }
    }

    #[test]
    fn a_size_has_bounds() {
        assert_eq!("1200x675".parse(), Ok(PictureSize(USUAL)));
        for text in
            ["1200", "1200x", "x675", "1200X675", "299x675", "1200x8001", "8000x8000", "-1x5", "1e3x500"]
        {
            assert!(text.parse::<PictureSize>().unwrap_err().contains("1200x675"), "{text}");
        }
    }

    #[test]
    fn a_picture_grows_with_its_panels_until_they_are_too_many() {
        let size = |size: Option<&str>, panels: f64| match asked(Some("a.svg"), None, size)
            .medium(Output::Csv, panels)
        {
            Ok(Some(Medium::Picture { size, .. })) => Ok((size.width, size.height)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(size(None, 1.0), Ok((1200, 675)));
        assert!(size(None, 12.0).unwrap().1 > 1_000);
        assert_eq!(size(Some("800x400"), 1.0), Ok((800, 400)));
        assert!(size(Some("800x400"), 9.0).unwrap_err().contains("--size 800x400 is too low"));
        assert!(size(None, 70.0).unwrap_err().contains("--symbol"));
        assert!(size(None, 500.0).unwrap_err().contains("--symbol"));
    }

    #[test]
    fn text_takes_the_place_of_a_table_and_of_nothing_else() {
        assert_eq!(asked(None, None, None).medium(Output::Table, 1.0), Ok(Some(Medium::Text)));
        assert!(asked(None, None, None).medium(Output::Table, 200.0).unwrap_err().contains("--symbol"));
        for (args, output, told) in [
            (asked(None, None, None), Output::Json, "--output json is for rows"),
            (asked(None, Some(ThemeName::Dark), None), Output::Table, "--theme is for pictures"),
            (asked(None, None, Some("800x600")), Output::Table, "--size 800x600 is for pictures"),
        ] {
            let error = args.medium(output, 1.0).unwrap_err();
            assert!(error.starts_with(told) && error.contains("prices.svg"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_before_anything_is_read() {
        let error = asked(Some("no-such-folder/a.svg"), None, None).medium(Output::Table, 1.0).unwrap_err();
        assert!(error.contains("no folder no-such-folder"), "{error}");
    }
}
