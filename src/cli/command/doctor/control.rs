//! The way to the control system: whether the gateways of the modes answer, and what may be written.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant};

use super::check::Check;
use crate::cli::Context;
use crate::cli::view::text::line;
use crate::config::{Config, Gateway};
use crate::executor::ChannelLimits;
use crate::plan::Mode;

/// How long answers are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most channels that are searched for.
const NAMES_MAX: usize = 20;

/// Looks at limits and gateways, where the configuration has some.
pub(super) async fn control(context: &Context) -> Vec<Check> {
    let (Ok(config), Ok(place)) = (context.config(), context.place()) else {
        return Vec::new();
    };
    let limits = place.channel_limits(&config);
    let mut checks = vec![limits_of(&limits)];
    let names = names(&limits);
    for mode in [Mode::ReadOnly, Mode::WriteAccess] {
        let Some(gateway) = config.execution.modes.of(mode).gateway.clone() else {
            continue;
        };
        let names = names.clone();
        let looked = tokio::task::spawn_blocking(move || look(&gateway, &names)).await;
        checks.push(match looked {
            Ok(Ok(found)) => said(mode, found),
            Ok(Err(error)) => refused(mode, &error.to_string()),
            Err(error) => refused(mode, &error.to_string()),
        });
    }
    checks.extend(same(&config));
    checks
}

/// Both modes by the same way: then nothing but the guard keeps `read_only` from writing.
fn same(config: &Config) -> Option<Check> {
    let modes = &config.execution.modes;
    let (read, write) = (
        modes.read_only.gateway.as_ref()?,
        &modes.write_access.gateway,
    );
    (Some(read) == write.as_ref()).then(|| {
        Check::warn("gateways", "read_only reaches the machine by the gateway of write_access")
            .help("let execution.modes.read_only.gateway be one that takes no puts: the guard in the interpreter is no wall")
    })
}

fn limits_of(limits: &ChannelLimits) -> Check {
    match limits {
        ChannelLimits::None => Check::ok(
            "channel limits",
            "none; code in a mode that allows writes may write to any channel",
        ),
        ChannelLimits::Unavailable { reason } => {
            let message = format!("can't be read, so nothing may be written: {}", line(reason));
            Check::fail("channel limits", message)
                .help("correct control_system.write_limits of config.yml")
        }
        ChannelLimits::Table {
            channels, unlisted, ..
        } => {
            let others = if *unlisted { "allowed" } else { "refused" };
            let count = channels.len();
            let message = format!("{count} channels and patterns; others are {others}");
            Check::ok("channel limits", message)
        }
    }
}

/// Channels that are known by name.
fn names(limits: &ChannelLimits) -> Vec<String> {
    let ChannelLimits::Table { channels, .. } = limits else {
        return Vec::new();
    };
    let plain = channels
        .keys()
        .filter(|name| !name.contains(['*', '?', '/']));
    plain.take(NAMES_MAX).cloned().collect()
}

/// What was found out.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// It has that many of the channels that were searched for.
    Channels(usize, usize),
    /// Somebody listens there.
    Listens,
    /// No answer, which need not mean anything.
    Silence,
}

fn said(mode: Mode, found: Found) -> Check {
    match found {
        Found::Channels(found, all) => {
            let message = format!("{mode}: has {found} of {all} channels of write_limits");
            Check::ok("gateways", message)
        }
        Found::Listens => Check::ok("gateways", format!("{mode}: takes connections")),
        Found::Silence => Check::warn(
            "gateways",
            format!("{mode}: no answer; searches go by UDP, which nobody need answer"),
        )
        .help("name a channel that it has in control_system.write_limits, and ask again; or look whether it runs"),
    }
}

fn refused(mode: Mode, error: &str) -> Check {
    Check::fail(
        "gateways",
        format!("{mode}: can't be reached: {}", line(error)),
    )
    .help(format!(
        "start it, or correct execution.modes.{mode}.gateway"
    ))
}

fn look(gateway: &Gateway, names: &[String]) -> io::Result<Found> {
    let mut last = io::Error::other("the address is empty");
    let mut silent = false;
    for host in gateway.address.split_whitespace() {
        let outcome = addresses(host, gateway.port).and_then(|addresses| {
            let first = addresses.into_iter().find(SocketAddr::is_ipv4);
            let at = first.ok_or_else(|| io::Error::other(format!("{host} has no address")))?;
            look_at(at, gateway.use_name_server, names)
        });
        match outcome {
            Ok(Found::Silence) => silent = true,
            Ok(found) => return Ok(found),
            Err(error) => last = error,
        }
    }
    if silent {
        Ok(Found::Silence)
    } else {
        Err(last)
    }
}

fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let named = host.contains(':')
        && host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let found = if named {
        host.to_socket_addrs()
    } else {
        (host, port).to_socket_addrs()
    };
    found.map(Iterator::collect)
}

fn look_at(at: SocketAddr, by_tcp: bool, names: &[String]) -> io::Result<Found> {
    if !by_tcp {
        let found = search(at, names)?;
        if found > 0 {
            return Ok(Found::Channels(found, names.len()));
        }
    }
    match std::net::TcpStream::connect_timeout(&at, PATIENCE) {
        Ok(_) => Ok(Found::Listens),
        Err(error) if by_tcp => Err(error),
        Err(_) => Ok(Found::Silence),
    }
}

/// Searches for channels as every client of Channel Access does; how many were found.
fn search(at: SocketAddr, names: &[String]) -> io::Result<usize> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect(at)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut packet = header(0, 0, 0, 0).to_vec();
    for (number, name) in names.iter().enumerate() {
        let mut padded = name.clone().into_bytes();
        padded.resize((name.len() / 8 + 1) * 8, 0);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let length = u16::try_from(padded.len()).unwrap_or(u16::MAX);
        packet.extend(header(SEARCH, length, DONT_REPLY, number));
        packet.extend(padded);
    }
    socket.send(&packet)?;
    let until = Instant::now() + PATIENCE;
    let mut found = std::collections::BTreeSet::new();
    let mut buffer = [0; 2048];
    while Instant::now() < until && found.len() < names.len().max(1) {
        match socket.recv(&mut buffer) {
            Ok(count) => found.extend(answers(buffer.get(..count).unwrap_or_default())),
            // Nobody listens at that port of that machine, and the machine says so.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found.len())
}

/// The command of a search, and the word that an unknown name needs no answer.
const SEARCH: u16 = 6;
const DONT_REPLY: u16 = 5;
/// The minor version of the protocol that is spoken.
const VERSION: u16 = 13;

fn header(command: u16, length: u16, kind: u16, number: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    let parts = [command, length, kind, VERSION]
        .map(u16::to_be_bytes)
        .concat();
    let numbers = [number, number].map(u32::to_be_bytes).concat();
    for (to, from) in bytes.iter_mut().zip(parts.into_iter().chain(numbers)) {
        *to = from;
    }
    bytes
}

/// The numbers of the searches that were answered.
fn answers(packet: &[u8]) -> Vec<[u8; 4]> {
    let mut found = Vec::new();
    let mut rest = packet;
    while let Some((head, after)) = rest.split_at_checked(16) {
        let word = |at: usize| match head.get(at..at + 2) {
            Some([high, low]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        if word(0) == SEARCH
            && let Some(number) = head.get(12..16).and_then(|bytes| bytes.try_into().ok())
        {
            found.push(number);
        }
        rest = after.get(usize::from(word(2))..).unwrap_or_default();
    }
    found
}
