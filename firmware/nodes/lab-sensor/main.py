"""The device of the guide: three voltages, an LED, a servo, temperature and humidity."""

from labboard import Board
from machine import ADC, I2C, PWM, Pin
from parts import guide
from parts.climate import Climate
from parts.led import Led
from parts.servo import Servo
from parts.voltage import Voltage

board = Board("lab_sensor", model="Raspberry Pi Pico W", node="lab-sensor")
pins, settings = board.pins, board.settings

voltages = {}
for name in ("adc_26", "adc_27", "adc_28"):
    pin = pins.number(name)
    told = settings.get("voltage", {})
    voltages[pin] = Voltage(ADC(pin), "voltage_%d" % pin, "Voltage %d" % pin, **told)

led = pins.number("led")
leds = {led: Led(Pin(led, Pin.OUT, value=0))}

pin = pins.number("servo")
servos = {pin: Servo(PWM(Pin(pin), freq=50, duty_u16=0), **settings.get("servo", {}))}

climate = Climate(I2C(0, sda=pins.pin("sda"), scl=pins.pin("scl"), freq=100000))
guide.add(board, voltages, leds, servos, climate)
board.run()
