//! What writes or removes files, and which of its arguments says where.

/// An argument, by position and by keyword.
type Argument = (usize, &'static str);

/// How a call says that it writes.
#[derive(Debug, Clone, Copy)]
pub(in crate::python::analysis) enum Mode {
    /// It always does.
    Always,
    /// By a mode text such as `w` or `r+`; the flag says what it does without one.
    Text(Argument, bool),
    /// When that argument is given.
    Given(Argument),
    /// It only reads.
    Never,
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
        mode: Mode::Text((1, "mode"), false),
    }
}

/// Writes unless its mode says otherwise.
const fn writes(paths: &'static [Argument], mode: Argument) -> FileWrite {
    FileWrite {
        paths,
        receiver: false,
        mode: Mode::Text(mode, true),
    }
}

/// Writes where it likes, or where that argument says.
const fn placed(argument: Argument, paths: &'static [Argument]) -> FileWrite {
    FileWrite {
        paths,
        receiver: false,
        mode: Mode::Given(argument),
    }
}

/// An argument that has no position.
const fn keyword(name: &'static str) -> Argument {
    (usize::MAX, name)
}

const READS: FileWrite = FileWrite {
    paths: &[],
    receiver: true,
    mode: Mode::Never,
};

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
            mode: Mode::Text((0, "mode"), false),
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
    ("os.link", always(&[(0, "src"), (1, "dst")])),
    // What a link leads to is written by the name of the link.
    ("os.symlink", always(&[(0, "src"), (1, "dst")])),
    // From there on a relative path means another place.
    ("os.chdir", always(&[(0, "path")])),
    ("os.fchdir", always(&[(0, "fd")])),
    ("os.chroot", always(&[(0, "path")])),
    ("contextlib.chdir", always(&[(0, "path")])),
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
    ("pathlib.Path.read_text", READS),
    ("pathlib.Path.read_bytes", READS),
    ("pathlib.Path.lchmod", on_path(&[])),
    ("pathlib.Path.copy", always(&[(0, "target")])),
    ("pathlib.Path.copy_into", always(&[(0, "target_dir")])),
    ("pathlib.Path.move", on_path(&[(0, "target")])),
    ("pathlib.Path.move_into", on_path(&[(0, "target_dir")])),
    ("pathlib.Path.write_text", on_path(&[])),
    ("pathlib.Path.write_bytes", on_path(&[])),
    ("pathlib.Path.unlink", on_path(&[])),
    ("pathlib.Path.rmdir", on_path(&[])),
    ("pathlib.Path.mkdir", on_path(&[])),
    ("pathlib.Path.touch", on_path(&[])),
    ("pathlib.Path.chmod", on_path(&[])),
    ("pathlib.Path.symlink_to", on_path(&[(0, "target")])),
    ("pathlib.Path.hardlink_to", on_path(&[(0, "target")])),
    ("pathlib.Path.rename", on_path(&[(0, "target")])),
    ("pathlib.Path.replace", on_path(&[(0, "target")])),
    ("sqlite3.connect", always(&[(0, "database")])),
    ("os.mknod", always(&[(0, "path")])),
    ("os.lchown", always(&[(0, "path")])),
    ("os.lchmod", always(&[(0, "path")])),
    ("os.setxattr", always(&[(0, "path")])),
    ("os.removexattr", always(&[(0, "path")])),
    ("shutil.chown", always(&[(0, "path")])),
    ("shutil.copymode", always(&[(1, "dst")])),
    ("shutil.copystat", always(&[(1, "dst")])),
    ("shelve.open", always(&[(0, "filename")])),
    ("dbm.open", opens(&[(0, "file")])),
    ("fileinput.input", placed((1, "inplace"), &[(0, "files")])),
    (
        "tempfile.NamedTemporaryFile",
        placed(keyword("dir"), &[keyword("dir")]),
    ),
    (
        "tempfile.TemporaryFile",
        placed(keyword("dir"), &[keyword("dir")]),
    ),
    (
        "tempfile.TemporaryDirectory",
        placed((2, "dir"), &[(2, "dir")]),
    ),
    ("tempfile.mkstemp", placed((2, "dir"), &[(2, "dir")])),
    ("tempfile.mkdtemp", placed((2, "dir"), &[(2, "dir")])),
    ("logging.FileHandler", always(&[(0, "filename")])),
    (
        "logging.handlers.RotatingFileHandler",
        always(&[(0, "filename")]),
    ),
    (
        "logging.handlers.TimedRotatingFileHandler",
        always(&[(0, "filename")]),
    ),
    (
        "logging.basicConfig",
        placed(keyword("filename"), &[keyword("filename")]),
    ),
    ("numpy.memmap", writes(&[(0, "filename")], (2, "mode"))),
    (
        "numpy.lib.format.open_memmap",
        writes(&[(0, "filename")], (1, "mode")),
    ),
    ("pandas.HDFStore", writes(&[(0, "path")], (1, "mode"))),
    ("pandas.ExcelWriter", always(&[(0, "path")])),
    ("zarr.open", writes(&[(0, "store")], (1, "mode"))),
    ("zarr.save", always(&[(0, "store")])),
    ("netCDF4.Dataset", opens(&[(0, "filename")])),
    ("tables.open_file", opens(&[(0, "filename")])),
    ("uproot.recreate", always(&[(0, "file_path")])),
    ("uproot.create", always(&[(0, "file_path")])),
    ("uproot.update", always(&[(0, "file_path")])),
    ("pyarrow.parquet.write_table", always(&[(1, "where")])),
    ("pyarrow.feather.write_feather", always(&[(1, "dest")])),
    ("pyarrow.csv.write_csv", always(&[(1, "output_file")])),
    ("imageio.imwrite", always(&[(0, "uri")])),
    ("imageio.imsave", always(&[(0, "uri")])),
    ("cv2.imwrite", always(&[(0, "filename")])),
    ("skimage.io.imsave", always(&[(0, "fname")])),
    ("matplotlib.pyplot.imsave", always(&[(0, "fname")])),
    ("scipy.io.wavfile.write", always(&[(0, "filename")])),
    ("wave.open", opens(&[(0, "f")])),
    ("dill.dump_session", always(&[(0, "filename")])),
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
    ("save", (0, "fp")),
    ("save_model", (0, "fname")),
    ("save_weights", (0, "filepath")),
    ("savetxt", (0, "fname")),
    ("to_file", (0, "filename")),
    ("to_latex", (0, "buf")),
    ("to_markdown", (0, "buf")),
    ("to_orc", (0, "path")),
    ("to_stata", (0, "path")),
    ("to_xml", (0, "path_or_buffer")),
    ("extractall", (0, "path")),
    ("sink_csv", (0, "path")),
    ("sink_parquet", (0, "path")),
    ("write_excel", (0, "workbook")),
    ("write_ipc", (0, "file")),
    ("write_json", (0, "file")),
    ("write_ndjson", (0, "file")),
    ("writeto", (0, "fileobj")),
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
