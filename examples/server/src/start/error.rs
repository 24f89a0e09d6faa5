//! Why the server did not start.

use std::{error, fmt, io};

use metrics_exporter_prometheus::BuildError as MetricsError;

use crate::app::OpenError;
use crate::assembly::AssemblyError;
use crate::listen::ListenError;
use crate::tls::TlsError;

/// Why the server did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    Listen(ListenError),
    Tls(TlsError),
    Open(OpenError),
    Assembly(AssemblyError),
    Metrics(MetricsError),
    /// The operating system refused threads or signal handlers.
    Runtime(io::Error),
}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        StartError::Listen(error)
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        StartError::Tls(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        StartError::Open(error)
    }
}

impl From<AssemblyError> for StartError {
    fn from(error: AssemblyError) -> Self {
        StartError::Assembly(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(source) => source.fmt(f),
            StartError::Tls(source) => source.fmt(f),
            StartError::Open(source) => source.fmt(f),
            StartError::Assembly(source) => source.fmt(f),
            StartError::Metrics(source) => write!(f, "cannot keep metrics: {source}"),
            StartError::Runtime(source) => write!(f, "cannot start: {source}"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            StartError::Listen(source) => source.source(),
            StartError::Tls(source) => source.source(),
            StartError::Open(source) => source.source(),
            StartError::Assembly(source) => source.source(),
            StartError::Metrics(source) => Some(source),
            StartError::Runtime(source) => Some(source),
        }
    }
}
