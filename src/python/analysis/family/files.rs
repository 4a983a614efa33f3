//! What writes or removes files, and which of its arguments says where.

/// An argument, by position and by keyword.
type Argument = (usize, &'static str);

/// How a call says that it writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::python::analysis) enum Mode {
    /// It always does.
    Always,
    /// By a mode text such as `w` or `r+`; without one it reads.
    Text(Argument),
    /// By `os.O_…` flags.
    Flags,
}

/// A call that writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::python::analysis) struct FileWrite {
    pub(in crate::python::analysis) paths: &'static [Argument],
    /// Whether the object that it is called on is a path as well.
    pub(in crate::python::analysis) receiver: bool,
    pub(in crate::python::analysis) mode: Mode,
}

const fn always(paths: &'static [Argument]) -> FileWrite {
    FileWrite {
        paths,
        receiver: false,
        mode: Mode::Always,
    }
}

const fn opens(paths: &'static [Argument]) -> FileWrite {
    FileWrite {
        paths,
        receiver: false,
        mode: Mode::Text((1, "mode")),
    }
}

const fn on_path(paths: &'static [Argument]) -> FileWrite {
    FileWrite {
        paths,
        receiver: true,
        mode: Mode::Always,
    }
}

/// Functions and methods by their qualified names.
pub(in crate::python::analysis) const FILES: &[(&str, FileWrite)] = &[
    ("builtins.open", opens(&[(0, "file")])),
    ("codecs.open", opens(&[(0, "filename")])),
    ("gzip.open", opens(&[(0, "filename")])),
    ("bz2.open", opens(&[(0, "filename")])),
    ("lzma.open", opens(&[(0, "filename")])),
    ("tarfile.open", opens(&[(0, "name")])),
    ("zipfile.ZipFile", opens(&[(0, "file")])),
    ("h5py.File", opens(&[(0, "name")])),
    ("io.FileIO", opens(&[(0, "file")])),
    (
        "pathlib.Path.open",
        FileWrite {
            paths: &[],
            receiver: true,
            mode: Mode::Text((0, "mode")),
        },
    ),
    (
        "os.open",
        FileWrite {
            paths: &[(0, "path")],
            receiver: false,
            mode: Mode::Flags,
        },
    ),
    ("os.remove", always(&[(0, "path")])),
    ("os.unlink", always(&[(0, "path")])),
    ("os.rmdir", always(&[(0, "path")])),
    ("os.removedirs", always(&[(0, "name")])),
    ("os.mkdir", always(&[(0, "path")])),
    ("os.makedirs", always(&[(0, "name")])),
    ("os.rename", always(&[(0, "src"), (1, "dst")])),
    ("os.renames", always(&[(0, "old"), (1, "new")])),
    ("os.replace", always(&[(0, "src"), (1, "dst")])),
    ("os.link", always(&[(1, "dst")])),
    ("os.symlink", always(&[(1, "dst")])),
    ("os.truncate", always(&[(0, "path")])),
    ("os.chmod", always(&[(0, "path")])),
    ("os.chown", always(&[(0, "path")])),
    ("os.utime", always(&[(0, "path")])),
    ("os.mkfifo", always(&[(0, "path")])),
    ("shutil.rmtree", always(&[(0, "path")])),
    ("shutil.copy", always(&[(1, "dst")])),
    ("shutil.copy2", always(&[(1, "dst")])),
    ("shutil.copyfile", always(&[(1, "dst")])),
    ("shutil.copytree", always(&[(1, "dst")])),
    ("shutil.move", always(&[(0, "src"), (1, "dst")])),
    ("shutil.make_archive", always(&[(0, "base_name")])),
    ("shutil.unpack_archive", always(&[(1, "extract_dir")])),
    ("pathlib.Path.write_text", on_path(&[])),
    ("pathlib.Path.write_bytes", on_path(&[])),
    ("pathlib.Path.unlink", on_path(&[])),
    ("pathlib.Path.rmdir", on_path(&[])),
    ("pathlib.Path.mkdir", on_path(&[])),
    ("pathlib.Path.touch", on_path(&[])),
    ("pathlib.Path.chmod", on_path(&[])),
    ("pathlib.Path.symlink_to", on_path(&[])),
    ("pathlib.Path.hardlink_to", on_path(&[])),
    ("pathlib.Path.rename", on_path(&[(0, "target")])),
    ("pathlib.Path.replace", on_path(&[(0, "target")])),
    ("sqlite3.connect", always(&[(0, "database")])),
    ("numpy.save", always(&[(0, "file")])),
    ("numpy.savez", always(&[(0, "file")])),
    ("numpy.savez_compressed", always(&[(0, "file")])),
    ("numpy.savetxt", always(&[(0, "fname")])),
    ("matplotlib.pyplot.savefig", always(&[(0, "fname")])),
    ("scipy.io.savemat", always(&[(0, "file_name")])),
    ("joblib.dump", always(&[(1, "filename")])),
    ("torch.save", always(&[(1, "f")])),
];

/// Methods that are known by their name alone; only a constant path outside the run folder counts.
pub(in crate::python::analysis) const METHODS: &[(&str, Argument)] = &[
    ("savefig", (0, "fname")),
    ("tofile", (0, "fid")),
    ("to_csv", (0, "path_or_buf")),
    ("to_excel", (0, "excel_writer")),
    ("to_feather", (0, "path")),
    ("to_hdf", (0, "path_or_buf")),
    ("to_html", (0, "buf")),
    ("to_json", (0, "path_or_buf")),
    ("to_netcdf", (0, "path")),
    ("to_parquet", (0, "path")),
    ("to_pickle", (0, "path")),
    ("to_zarr", (0, "store")),
    ("write_csv", (0, "file")),
    ("write_parquet", (0, "file")),
    ("write_image", (0, "file")),
    ("write_html", (0, "file")),
];
