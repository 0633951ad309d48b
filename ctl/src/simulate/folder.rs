//! Pictures from a folder, in the order of their names, over and over.

use std::{fs, path::PathBuf};

use larder_proto::wire::camera::Size;

use super::{
    jpeg,
    pictures::{Picture, SourceError},
};

/// A folder of JPEG files.
pub(super) struct Folder {
    files: Vec<PathBuf>,
    next: usize,
}

impl Folder {
    /// Lists the folder. What is added later is not seen.
    ///
    /// # Errors
    ///
    /// It cannot be read, or has no `.jpg` or `.jpeg` file.
    pub(super) fn open(path: PathBuf) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Read { path: path.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg") {
                files.push(file);
            }
        }
        files.sort();
        if files.is_empty() { Err(SourceError::Empty(path)) } else { Ok(Self { files, next: 0 }) }
    }

    /// The next file, as it is: one that is no JPEG is sent too, with the size 0 x 0.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub(super) fn next(&mut self) -> Result<Picture, SourceError> {
        let file = &self.files[self.next];
        self.next = (self.next + 1) % self.files.len();
        let bytes = fs::read(file).map_err(|source| SourceError::Read { path: file.clone(), source })?;
        let size = jpeg::size(&bytes).unwrap_or(Size { width: 0, height: 0 });
        Ok(Picture { jpeg: bytes.into(), size, active: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_names_and_again() {
        let folder = tempfile::tempdir().unwrap();
        for (name, grey) in [("b.jpg", 90), ("a.JPEG", 30), ("notes.txt", 0)] {
            let jpeg = jpeg::encode(&vec![[grey, 128, 128]; 16 * 16], (16, 16), Default::default());
            fs::write(folder.path().join(name), jpeg).unwrap();
        }
        let mut pictures = Folder::open(folder.path().to_owned()).unwrap();
        let [first, second, third] = [0; 3].map(|_| pictures.next().unwrap());
        assert_eq!(first.jpeg, third.jpeg);
        assert_ne!(first.jpeg, second.jpeg);
        assert_eq!(first.size, Size { width: 16, height: 16 });
    }

    #[test]
    fn an_empty_or_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let complaint = |path: PathBuf| Folder::open(path).err().unwrap().to_string();
        assert!(complaint(folder.path().to_owned()).starts_with("no .jpg file in /"));
        assert!(complaint(folder.path().join("none")).contains("none: No such file"));
    }
}
