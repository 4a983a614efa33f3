//! Instruments and controllers that are spoken to directly: VISA, serial lines, Modbus, OPC UA, PLCs, data acquisition.

use super::{Family, Pack};
use crate::python::analysis::rules::Rule;

pub(super) const WRITE: Family = Family {
    pack: Some(Pack::Instruments),
    calls: &[
        "pyvisa.Resource.write*",
        "pyvisa.Resource.assert_trigger",
        "pyvisa.Resource.clear",
        "serial.Serial.write*",
        "opcua.Node.set_*",
        "opcua.Node.write_*",
        "opcua.Node.call_method",
        "opcua.Client.write_values",
        "opcua.Client.set_values",
        "pyads.Connection.write*",
        "pyads.write*",
        "pylogix.PLC.Write",
        "pycomm3.LogixDriver.write",
        "pycomm3.SLCDriver.write",
        "snap7.client.Client.write_area",
        "snap7.client.Client.write_multi_vars",
        "snap7.client.Client.db_write",
        "snap7.client.Client.mb_write",
        "snap7.client.Client.ab_write",
        "snap7.client.Client.plc_*",
        "nidaqmx.Task.write",
        "nidaqmx.Task.start",
        "labjack.ljm.eWrite*",
        "can.Bus.send",
        "pymodbus.client.ModbusTcpClient.write_*",
        "pymodbus.client.ModbusSerialClient.write_*",
        "minimalmodbus.Instrument.write_*",
        "RPi.GPIO.output",
        "gpiozero.*",
    ],
    methods: &[
        "write_register",
        "write_registers",
        "write_coil",
        "write_coils",
    ],
    ..Family::new(Rule::ControlWrite)
};

pub(super) const READ: Family = Family {
    pack: Some(Pack::Instruments),
    calls: &[
        "pyvisa.Resource.query*",
        "pyvisa.Resource.read*",
        "serial.Serial.read*",
        "opcua.Node.get_*",
        "opcua.Node.read_*",
        "pyads.Connection.read*",
        "pylogix.PLC.Read",
        "pycomm3.LogixDriver.read",
        "snap7.client.Client.read_area",
        "snap7.client.Client.db_read",
        "nidaqmx.Task.read",
        "labjack.ljm.eRead*",
        "can.Bus.recv",
        "pymodbus.client.ModbusTcpClient.read_*",
        "minimalmodbus.Instrument.read_*",
    ],
    methods: &["read_holding_registers", "read_input_registers"],
    ..Family::new(Rule::ControlRead)
};
