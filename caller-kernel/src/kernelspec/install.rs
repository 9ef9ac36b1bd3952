//! A folder of kernelspecs, and what is put into it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{KernelSpec, KernelSpecError, folders, kernel_name};

/// The picture that front ends show, made for this crate.
const LOGO: &str = include_str!("logo.svg");

/// A folder of kernelspecs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernels {
    folder: PathBuf,
}

/// A kernelspec that is there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What its `kernel.json` says.
    pub spec: KernelSpec,
}

impl Kernels {
    /// That of this user: `kernels` in the data folder of Jupyter, which the variables `JUPYTER_DATA_DIR`, `XDG_DATA_HOME`
    /// and `APPDATA` say as they do for Jupyter.
    ///
    /// # Errors
    ///
    /// Neither they nor the home folder are known.
    pub fn user() -> Result<Self, KernelSpecError> {
        let data = folders::user_data(&folders::process, env::home_dir());
        Ok(Self { folder: data.ok_or(KernelSpecError::NoHome)?.join("kernels") })
    }

    /// That of an environment or a system: `share/jupyter/kernels` below this folder, such as `/usr/local`. A `~` at its
    /// beginning is the home folder.
    ///
    /// # Errors
    ///
    /// There is a `~`, and the home folder is not known.
    pub fn prefix(prefix: impl AsRef<Path>) -> Result<Self, KernelSpecError> {
        let Self { folder } = Self::at(prefix)?;
        Ok(Self { folder: folder.join("share").join("jupyter").join("kernels") })
    }

    /// This very folder. A `~` at its beginning is the home folder.
    ///
    /// # Errors
    ///
    /// There is a `~`, and the home folder is not known.
    pub fn at(folder: impl AsRef<Path>) -> Result<Self, KernelSpecError> {
        let folder = folders::expand(folder.as_ref(), env::home_dir()).ok_or(KernelSpecError::NoHome)?;
        Ok(Self { folder })
    }

    /// Where it is. It need not exist.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a kernelspec there, and gives its folder. One of the same name is replaced if it was made by this crate. It
    /// appears whole, at once: when this fails, all is as it was.
    ///
    /// # Errors
    ///
    /// The name is not allowed, or is that of a kernelspec which was not made by this crate, or nothing can be written
    /// there.
    pub fn install(&self, name: &str, spec: &KernelSpec) -> Result<PathBuf, KernelSpecError> {
        let name = kernel_name(name)?;
        let target = self.folder.join(&name);
        let replaces = is_there(&target);
        if replaces && !read(&target).is_some_and(|spec| spec.is_ours()) {
            return Err(KernelSpecError::Foreign { path: target });
        }
        fs::create_dir_all(&self.folder).map_err(failed("make the folder", &self.folder))?;
        let staging = self.staging()?;
        // One folder deeper, as the staging folder is for its owner alone.
        let new = staging.path().join("new");
        write(&new, spec).map_err(failed("write", &target))?;
        let old = staging.path().join("old");
        if replaces {
            fs::rename(&target, &old).map_err(failed("replace", &target))?;
        }
        if let Err(source) = fs::rename(&new, &target) {
            if replaces {
                // If this fails too, the first error says why.
                let _back = fs::rename(&old, &target);
            }
            return Err(failed("write", &target)(source));
        }
        Ok(target)
    }

    /// The kernelspecs there that were made by this crate, by name. What cannot be read is not among them.
    ///
    /// # Errors
    ///
    /// The folder is there, and cannot be read.
    pub fn list(&self) -> Result<Vec<Installed>, KernelSpecError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed("read", &self.folder)(source)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            let Some(name) = entry.file_name().to_str().and_then(|name| kernel_name(name).ok()) else {
                continue;
            };
            if let Some(spec) = read(&entry.path()).filter(KernelSpec::is_ours) {
                found.push(Installed { name, folder: entry.path(), spec });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Removes a kernelspec with its folder, and gives what that was.
    ///
    /// # Errors
    ///
    /// There is none of this name, it was not made by this crate, or it cannot be removed.
    pub fn uninstall(&self, name: &str) -> Result<PathBuf, KernelSpecError> {
        let name = kernel_name(name)?;
        let target = self.folder.join(&name);
        if !is_there(&target) {
            let names = self.list()?.into_iter().map(|installed| installed.name).collect();
            return Err(KernelSpecError::Unknown { name, folder: self.folder.clone(), names });
        }
        if !read(&target).is_some_and(|spec| spec.is_ours()) {
            return Err(KernelSpecError::Foreign { path: target });
        }
        let staging = self.staging()?;
        // It is gone at once, whatever becomes of its files.
        fs::rename(&target, staging.path().join("old")).map_err(failed("remove", &target))?;
        staging.close().map_err(failed("remove", &target))?;
        Ok(target)
    }

    /// A folder beside the kernelspecs, since nothing can be moved at once from elsewhere. It is removed in the end.
    fn staging(&self) -> Result<TempDir, KernelSpecError> {
        let made = tempfile::Builder::new().prefix(".caller-kernel-").tempdir_in(&self.folder);
        made.map_err(failed("write to", &self.folder))
    }
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KernelSpecError {
    move |source| KernelSpecError::Io { verb, path: path.to_owned(), source }
}

/// Whether something has this name, be it a link that leads nowhere.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn read(folder: &Path) -> Option<KernelSpec> {
    serde_json::from_slice(&fs::read(folder.join("kernel.json")).ok()?).ok()
}

fn write(folder: &Path, spec: &KernelSpec) -> io::Result<()> {
    fs::create_dir(folder)?;
    let mut text = serde_json::to_string_pretty(spec)?;
    text.push('\n');
    fs::write(folder.join("kernel.json"), text)?;
    fs::write(folder.join("logo-svg.svg"), LOGO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernels() -> (TempDir, Kernels) {
        let folder = tempfile::tempdir().unwrap();
        let kernels = Kernels::prefix(folder.path()).unwrap();
        (folder, kernels)
    }

    fn spec(name: &str) -> KernelSpec {
        KernelSpec::new(name, ["program", "{connection_file}"])
    }

    fn names(kernels: &Kernels) -> Vec<String> {
        kernels.list().unwrap().into_iter().map(|installed| installed.name).collect()
    }

    /// All that is in a folder.
    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn one_is_installed_replaced_and_removed() {
        let (_folder, kernels) = kernels();
        assert_eq!(kernels.list().unwrap(), []);
        let at = kernels.install("B", &spec("first")).unwrap();
        assert_eq!(at, kernels.folder().join("b"));
        kernels.install("a", &spec("other")).unwrap();
        kernels.install("b", &spec("second")).unwrap();
        assert_eq!(names(&kernels), ["a", "b"]);
        assert_eq!(kernels.list().unwrap()[1].spec, spec("second"));
        assert_eq!(entries(&at), ["kernel.json", "logo-svg.svg"]);
        assert_eq!(kernels.uninstall("b").unwrap(), at);
        // Nothing else is left.
        assert_eq!(entries(kernels.folder()), ["a"]);
    }

    #[test]
    fn an_unknown_name_says_what_there_is() {
        let (_folder, kernels) = kernels();
        let place = kernels.folder().display().to_string();
        let error = kernels.uninstall("lua").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("there is no kernel `lua` in {place}; none is installed there")
        );
        kernels.install("a", &spec("a")).unwrap();
        kernels.install("b", &spec("b")).unwrap();
        let error = kernels.uninstall("lua").unwrap_err();
        assert_eq!(error.to_string(), format!("there is no kernel `lua` in {place}; installed there: a, b"));
    }

    #[test]
    fn those_of_others_are_left_alone() {
        let (_folder, kernels) = kernels();
        let theirs = kernels.folder().join("python3");
        fs::create_dir_all(&theirs).unwrap();
        let text = r#"{"argv": [], "display_name": "Python 3", "language": "python"}"#;
        fs::write(theirs.join("kernel.json"), text).unwrap();
        fs::create_dir(kernels.folder().join("empty")).unwrap();
        assert_eq!(names(&kernels), [""; 0]);
        for name in ["python3", "empty"] {
            let error = kernels.uninstall(name).unwrap_err();
            assert!(matches!(error, KernelSpecError::Foreign { .. }), "{error}");
            let error = kernels.install(name, &spec("a")).unwrap_err();
            assert!(matches!(error, KernelSpecError::Foreign { .. }), "{error}");
        }
        assert_eq!(fs::read_to_string(theirs.join("kernel.json")).unwrap(), text);
        assert_eq!(entries(kernels.folder()), ["empty", "python3"]);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let (folder, kernels) = kernels();
        fs::write(folder.path().join("share"), "").unwrap();
        let error = kernels.install("a", &spec("a")).unwrap_err();
        assert!(error.to_string().starts_with("cannot make the folder "), "{error}");
        assert!(kernels.list().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_is_installed() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, kernels) = kernels();
        let at = kernels.install("a", &spec("a")).unwrap();
        // As any folder that is made here.
        let usual = folder.path().join("usual");
        fs::create_dir(&usual).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&at), mode(&usual));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_removed_and_what_it_leads_to_is_not() {
        let (folder, kernels) = kernels();
        let at = kernels.install("a", &spec("a")).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&at, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &at).unwrap();
        kernels.uninstall("a").unwrap();
        assert!(!is_there(&at) && elsewhere.join("kernel.json").exists());
    }
}
