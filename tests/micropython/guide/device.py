# device.py - Runs on Pico W, ESP32, etc.
import json
import time
import asyncio
from mqtt_as import MQTTClient, config
import machine

# Device configuration
DEVICE_ID = "pico-w-lab-001"
MQTT_BROKER = "broker.hivemq.com"  # or your broker
MQTT_PORT = 1883

# Task registry for MicroPython
micropython_tasks = {}

def micropython_task(name=None):
    """Decorator to register MicroPython tasks."""
    def decorator(func):
        task_name = name or func.__name__
        micropython_tasks[task_name] = {
            'function': func,
            'name': task_name,
            'doc': func.__doc__ or ""
        }
        print(f"Registered MicroPython task: {task_name}")
        return func
    return decorator

# Example MicroPython tasks
@micropython_task()
def read_sensor(sensor_pin: int) -> dict:
    """Read analog sensor value."""
    from machine import ADC
    adc = ADC(sensor_pin)
    value = adc.read_u16()
    voltage = (value / 65535) * 3.3
    return {
        "sensor_pin": sensor_pin,
        "raw_value": value,
        "voltage": voltage,
        "timestamp": time.time()
    }

@micropython_task()
def control_led(pin: int, state: bool) -> str:
    """Control LED on/off."""
    from machine import Pin
    led = Pin(pin, Pin.OUT)
    led.value(1 if state else 0)
    return f"LED on pin {pin} {'ON' if state else 'OFF'}"

@micropython_task()
def move_servo(pin: int, angle: int) -> str:
    """Move servo to specified angle."""
    from machine import Pin, PWM
    servo = PWM(Pin(pin))
    servo.freq(50)
    
    # Convert angle (0-180) to duty cycle
    duty = int(((angle / 180) * 2000) + 1000)  # 1000-3000 range
    servo.duty_u16(duty * 65535 // 20000)
    
    time.sleep(0.5)  # Allow servo to move
    servo.deinit()
    
    return f"Servo on pin {pin} moved to {angle} degrees"

@micropython_task()
def get_device_status() -> dict:
    """Get MicroPython device status."""
    import gc
    return {
        "device_id": DEVICE_ID,
        "free_memory": gc.mem_free(),
        "platform": "micropython",
        "tasks_available": list(micropython_tasks.keys()),
        "uptime_ms": time.ticks_ms()
    }

class MicroPythonMQTTDevice:
    """MQTT device handler for MicroPython."""
    
    def __init__(self, device_id, broker_host, broker_port=1883):
        self.device_id = device_id
        
        # Configure mqtt_as
        config['server'] = broker_host
        config['port'] = broker_port
        config['client_id'] = device_id
        config['topic'] = f'ot2/{device_id}/result'
        config['will'] = f'ot2/{device_id}/status', '{"status": "offline"}', True, 0
        
        # MQTT topics
        self.command_topic = f"ot2/{device_id}/command"
        self.result_topic = f"ot2/{device_id}/result"
        
        self.client = MQTTClient(config)
        
    async def connect(self):
        """Connect to MQTT broker."""
        await self.client.connect()
        
        # Subscribe to commands
        await self.client.subscribe(self.command_topic, 1)
        print(f"Subscribed to {self.command_topic}")
        
        # Publish online status
        await self.client.publish(
            f"ot2/{self.device_id}/status", 
            '{"status": "online"}', 
            qos=1
        )
        
    async def message_handler(self, topic, msg, retained):
        """Handle incoming MQTT messages."""
        try:
            payload = json.loads(msg.decode())
            print(f"Received: {payload}")
            
            # Execute the requested task
            await self.execute_task(payload)
            
        except Exception as e:
            print(f"Message handling error: {e}")
    
    async def execute_task(self, payload):
        """Execute a task and publish result."""
        try:
            request_id = payload.get('request_id', 'unknown')
            task_name = payload.get('task')
            parameters = payload.get('parameters', {})
            
            if task_name not in micropython_tasks:
                raise ValueError(f"Task '{task_name}' not found")
            
            # Execute the task
            func = micropython_tasks[task_name]['function']
            
            # Convert parameters to match function signature
            result = func(**parameters)
            
            # Publish successful result
            result_payload = {
                'request_id': request_id,
                'task': task_name,
                'status': 'success',
                'result': result,
                'timestamp': time.time()
            }
            
            await self.client.publish(
                self.result_topic, 
                json.dumps(result_payload), 
                qos=1
            )
            
            print(f"Task '{task_name}' completed successfully")
            
        except Exception as e:
            # Publish error result
            error_payload = {
                'request_id': payload.get('request_id', 'unknown'),
                'task': payload.get('task', 'unknown'),
                'status': 'error',
                'error': str(e),
                'timestamp': time.time()
            }
            
            await self.client.publish(
                self.result_topic, 
                json.dumps(error_payload), 
                qos=1
            )
            
            print(f"Task execution failed: {e}")
    
    async def run(self):
        """Main device loop."""
        self.client.set_callback(self.message_handler)
        await self.connect()
        
        print(f"MicroPython device {self.device_id} running...")
        print(f"Available tasks: {list(micropython_tasks.keys())}")
        
        while True:
            await asyncio.sleep(1)

async def main():
    """Main function for MicroPython device."""
    device = MicroPythonMQTTDevice(DEVICE_ID, MQTT_BROKER, MQTT_PORT)
    await device.run()

# Run the device
if __name__ == "__main__":
    asyncio.run(main())
