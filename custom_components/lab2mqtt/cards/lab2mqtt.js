/** All cards of lab2mqtt and its dashboard: the one module that dashboards load. */
import "./deck-card.js";
import "./devices-card.js";
import "./plate-resort-card.js";
import "./stop-card.js";
import "./strategy.js";
import "./task-card.js";
