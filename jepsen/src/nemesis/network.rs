//! A network of our own: every process in a network namespace, all on one bridge, filters between them.
//!
//! Needs root, `ip` and `iptables`. Names begin with `smj` and a number of chance; everything goes when it is dropped.

use std::{
    net::{IpAddr, Ipv4Addr},
    os::unix::process::CommandExt,
    process::Command,
};

use anyhow::{Context, ensure};
use tests::Host;

use super::each;

/// See the module.
pub struct Network {
    tag: String,
    /// The third byte of all addresses, 10.77.x.y.
    subnet: u8,
    names: Vec<String>,
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be run, or fails; with what it said.
pub fn command(line: &str) -> anyhow::Result<()> {
    let mut words = line.split_whitespace();
    let program = words.next().context("BUG: an empty command")?;
    // An interrupt at the terminal is for us, who still have to take everything down.
    let said = Command::new(program).args(words).process_group(0).output();
    let said = said.with_context(|| format!("cannot run {program}"))?;
    ensure!(said.status.success(), "{line}: {}", String::from_utf8_lossy(&said.stderr).trim());
    Ok(())
}

impl Network {
    /// Makes one for processes of these names.
    ///
    /// # Errors
    /// What this machine cannot do. What was made until then is gone again.
    pub fn new(names: &[String]) -> anyhow::Result<Self> {
        let (tag, subnet) = (format!("smj{:04x}", rand::random::<u16>()), rand::random_range(1..250));
        let network = Self { tag, subnet, names: names.to_vec() };
        network.make()?;
        Ok(network)
    }

    fn make(&self) -> anyhow::Result<()> {
        let (tag, subnet) = (&self.tag, self.subnet);
        // The bridge has a namespace of its own, so that the machine's own filters are not asked.
        let hub = self.hub();
        command(&format!("ip netns add {hub}"))?;
        command(&format!("ip -n {hub} link add br0 type bridge"))?;
        command(&format!("ip -n {hub} link set br0 up"))?;
        command(&format!("ip link add {tag} type veth peer name here netns {hub}"))?;
        command(&format!("ip -n {hub} link set here master br0 up"))?;
        command(&format!("ip addr add 10.77.{subnet}.254/24 dev {tag}"))?;
        command(&format!("ip link set {tag} up"))?;
        for at in 0..self.names.len() {
            let (space, address) = (self.space(at), self.address(at));
            command(&format!("ip netns add {space}"))?;
            command(&format!("ip -n {hub} link add v{at} type veth peer name eth0 netns {space}"))?;
            command(&format!("ip -n {hub} link set v{at} master br0 up"))?;
            command(&format!("ip -n {space} addr add {address}/24 dev eth0"))?;
            command(&format!("ip -n {space} link set eth0 up"))?;
            command(&format!("ip -n {space} link set lo up"))?;
        }
        // Filters may be missing where namespaces are not.
        command(&format!("ip netns exec {} iptables -w -S", self.space(0)))
    }

    fn hub(&self) -> String {
        format!("{}hub", self.tag)
    }

    fn space(&self, at: usize) -> String {
        format!("{}n{at}", self.tag)
    }

    fn address(&self, at: usize) -> IpAddr {
        let host = u8::try_from(at + 1).expect("BUG: a cluster of more than 250 processes");
        Ipv4Addr::new(10, 77, self.subnet, host).into()
    }

    fn at(&self, name: &str) -> anyhow::Result<usize> {
        self.names.iter().position(|of| of == name).with_context(|| format!("{name} is not in the network"))
    }

    /// The network namespace of a process.
    ///
    /// # Errors
    /// When it has none.
    pub fn space_of(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.space(self.at(name)?))
    }

    /// Where each process runs.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, Host)> {
        self.names.iter().enumerate().map(|(at, name)| {
            let command = ["ip", "netns", "exec", &self.space(at)].map(str::to_owned).to_vec();
            (name.as_str(), Host { address: self.address(at), command })
        })
    }

    /// What the first sends does not reach the second any more.
    ///
    /// # Errors
    /// When the filter cannot be set.
    pub fn cut(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let (from, to) = (self.at(from)?, self.at(to)?);
        command(&format!(
            "ip netns exec {} iptables -w -A INPUT -s {} -j DROP",
            self.space(to),
            self.address(from)
        ))
    }

    /// Of what others send to this one, so many in a hundred packets are lost; clients' are not.
    ///
    /// # Errors
    /// When the filter cannot be set.
    pub fn lose(&self, to: &str, percent: u32) -> anyhow::Result<()> {
        let (space, subnet) = (self.space(self.at(to)?), self.subnet);
        let client = format!("10.77.{subnet}.254");
        let some = format!("-m statistic --mode random --probability 0.{percent:02}");
        command(&format!("ip netns exec {space} iptables -w -A INPUT -s {client} -j ACCEPT"))?;
        command(&format!("ip netns exec {space} iptables -w -A INPUT -s 10.77.{subnet}.0/24 {some} -j DROP"))
    }

    /// What others send to this one goes to a queue for somebody to let it go; what clients send does not. Where nobody reads
    /// the queue it all comes at once.
    ///
    /// # Errors
    /// When the filter cannot be set.
    pub fn queue(&self, to: &str, number: u16) -> anyhow::Result<()> {
        let (space, subnet) = (self.space_of(to)?, self.subnet);
        let rule = format!("ip netns exec {space} iptables -w -A INPUT -i eth0 -s 10.77.{subnet}");
        command(&format!("{rule}.254 -j ACCEPT"))?;
        command(&format!("{rule}.0/24 -j NFQUEUE --queue-num {number} --queue-bypass"))
    }

    /// Everything reaches everybody again.
    ///
    /// # Errors
    /// When filters cannot be taken away.
    pub fn heal(&self) -> anyhow::Result<()> {
        each(
            (0..self.names.len())
                .map(|at| command(&format!("ip netns exec {} iptables -w -F", self.space(at)))),
        )
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for at in 0..self.names.len() {
            // What was not made cannot be removed.
            drop(command(&format!("ip netns del {}", self.space(at))));
        }
        drop(command(&format!("ip link del {}", self.tag)));
        drop(command(&format!("ip netns del {}", self.hub())));
    }
}
