/** The texts that the cards of one device share. */
export const words = {
  en: {
    choose: "Choose a device in the settings of this card.",
    simulated: "simulated",
    dismiss: "Dismiss this message",
    close: "Close",
    stop: "Stop now",
    release: "Release stop",
    release_title: "Release the stop of {name}?",
    release_text: "Nothing moves by that. Look first whether anything is in the way.",
    pause: "Pause",
    resume: "Resume",
    resume_title: "Let {name} go on?",
    resume_text: "It moves at once. Keep your hands out.",
    home: "Home",
    home_title: "Send {name} home?",
    home_text: "It moves at once. Keep your hands out.",
    moves: "It moves at once. Keep your hands out.",
    wait: "Not now: {why}",
  },
  de: {
    choose: "In den Einstellungen dieser Karte ein Gerät wählen.",
    simulated: "simuliert",
    dismiss: "Meldung schließen",
    close: "Schließen",
    stop: "Jetzt stoppen",
    release: "Stopp lösen",
    release_title: "Stopp von {name} lösen?",
    release_text: "Dadurch bewegt sich nichts. Erst nachsehen, ob etwas im Weg ist.",
    pause: "Pause",
    resume: "Weiter",
    resume_title: "{name} weiterlaufen lassen?",
    resume_text: "Es bewegt sich sofort. Nicht hineingreifen.",
    home: "Grundstellung",
    home_title: "{name} in die Grundstellung fahren?",
    home_text: "Es bewegt sich sofort. Nicht hineingreifen.",
    moves: "Es bewegt sich sofort. Nicht hineingreifen.",
    wait: "Gerade nicht: {why}",
  },
};

/** The readiness of a device, see docs/protocol.md. */
export const readiness = {
  en: {
    unreachable: "Unavailable",
    starting: "Starting",
    emergency_stopped: "Emergency stop",
    fault: "Fault",
    maintenance: "Maintenance",
    needs_homing: "Needs homing",
    interlocked: "Interlocked",
    paused: "Paused",
    busy: "Busy",
    reserved: "Reserved",
    ready: "Ready",
  },
  de: {
    unreachable: "Nicht verfügbar",
    starting: "Startet",
    emergency_stopped: "Not-Halt",
    fault: "Störung",
    maintenance: "Wartung",
    needs_homing: "Referenzfahrt nötig",
    interlocked: "Verriegelt",
    paused: "Pausiert",
    busy: "Beschäftigt",
    reserved: "Reserviert",
    ready: "Bereit",
  },
};

/** The labels of the editor. */
export const form = {
  en: {
    device: "Device",
    device_help: "The device that lab2mqtt announced.",
    name: "Name, if it is to be another than the device's",
  },
  de: {
    device: "Gerät",
    device_help: "Das Gerät, das lab2mqtt angemeldet hat.",
    name: "Name, falls er ein anderer als der des Geräts sein soll",
  },
};
