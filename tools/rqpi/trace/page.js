"use strict";
/*
 * The page of rqpi trace. The data (trace_html.c writes it) is in the element "data". Times are
 * nanoseconds after the begin of the trace. Only what is in view is drawn, and of what falls into one
 * pixel, one; inversions are drawn last and never narrower than can be seen.
 *
 * For tests the root element says: data-ready, data-error, data-from and data-until (the view),
 * data-drawn (rectangles of the last drawing), data-rows.
 */
(() => {
const root = document.documentElement;
const $ = id => document.getElementById(id);
window.addEventListener("error", event => {
	root.dataset.error = event.message;
});

/* ---- the data ---- */

const parsed = JSON.parse($("data").textContent);
const data = {...parsed.about, ...parsed};
const INVERSION = 1, BOOSTED = 2, OPEN = 4, INFERRED = 8, BROADCAST = 16, BLAMED = 32;
const LOCK = 0, WAIT = 1, RELEASE = 2, FUTEX = 3; /* how */
const duration = Math.max(data.duration, 1);

const threads = new Map(data.threads.map(t => [t.tid, t]));
const locks = data.locks;
const waits = data.waits.map((w, index) => ({
	index, lock: w[0], tid: w[1], how: w[2], flags: w[3], since: w[4], until: w[5], value: w[6],
	owner: w[7], ran: w[8], starved: w[9], slept: w[10], asleep: w[11], site: w[12],
	culprits: w[13].map(c => ({tid: c[0], cpu: c[1], urgency: c[2], ns: c[3]})),
	chain: w[14], length: w[5] - w[4],
}));
const slices = data.slices; /* [tid, cpu or -1, urgency, since, length] */
const boosts = data.boosts.map(b => ({ns: b[0], by: b[1], whom: b[2], from: b[3], to: b[4], wait: b[5]}));
const inversions = waits.filter(w => w.flags & INVERSION)
	.sort((a, b) => b.length - a.length || a.since - b.since);
const inversionNumber = new Map(inversions.map((w, i) => [w.index, i + 1]));

/* ---- words ---- */

function time(ns) {
	const units = [["ns", 1], ["us", 1e3], ["ms", 1e6], ["s", 1e9]];
	let u = 0;

	while (u < 3 && ns >= 999.5 * units[u][1])
		u++;
	const value = ns / units[u][1];
	return (u === 0 ? value.toFixed(0) : value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)) +
		" " + units[u][0];
}

/* A point of time, with as many digits as a part of @step has. */
function when(ns, step) {
	const unit = duration >= 2e9 ? ["s", 1e9] : duration >= 2e6 ? ["ms", 1e6] : ["us", 1e3];
	const digits = Math.max(0, Math.min(9, Math.ceil(Math.log10(unit[1] / Math.max(step, 1)))));

	return (ns / unit[1]).toFixed(digits) + " " + unit[0];
}

function urgencyWords(urgency) {
	return urgency < 0 ? "priority unknown" : urgency === 0 ? "ordinary" :
		urgency >= 100 ? "deadline" : "priority " + urgency;
}

const nobody = tid => ({tid, pid: 0, name: "[" + tid + "]", label: "[" + tid + "]", urgency: -1, told: false, traced: false});
const thread = tid => threads.get(tid) || nobody(tid);
/* Without its number, where there is only one of that name. */
const namesakes = new Map();
for (const t of data.threads)
	namesakes.set(bare(t), (namesakes.get(bare(t)) || 0) + 1);
function bare(t) {
	return t.name.replace(/\[\d+\]$/, "") || t.name;
}
const short = tid => namesakes.get(bare(thread(tid))) === 1 ? bare(thread(tid)) : thread(tid).name;
const plural = (n, one) => n + " " + one + (n === 1 ? "" : "s");

function result(w) {
	if (w.flags & OPEN)
		return "had not ended";
	return w.value === 0 ? "" : w.value === -1 ? "cancelled" : data.errors[w.value] || "error " + w.value;
}

function inherits(lock) {
	return lock.type === "condvar" ? "condition variable" :
		(lock.type === "mutex" ? "mutex" : "futex") +
		(lock.inherits === "yes" ? ", inherits" : lock.inherits === "no" ? ", does not inherit" : "");
}

/* What its owner does with it, as far as that is known. Of a word that is no lock, nobody has it. */
function has(w) {
	return !(w.flags & INFERRED) ? "has it" : locks[w.lock].type === "word" ? "wakes it" : "has it, it seems";
}

function heldBy(w, name) {
	if (!w.owner)
		return "";
	if (!(w.flags & INFERRED))
		return ", which " + name + " had";
	return locks[w.lock].type === "word" ? ", until " + name + " woke it" : ", which " + name + " had, it seems";
}

/* What a slice of a lock says. */
function waitLabel(w) {
	const who = short(w.tid);

	if (w.how === WAIT)
		return who + " waits on it";
	if (w.how === RELEASE)
		return who + (w.asleep ? " sleeps in a " + (w.flags & BROADCAST ? "broadcast" : "signal") :
			w.flags & BROADCAST ? " broadcasts" : " signals");
	return who + " waits" + (w.owner ? ", " + short(w.owner) + " " + has(w) : "");
}

function culpritWords(w) {
	return w.culprits.map(c => short(c.tid) + ", " + urgencyWords(c.urgency) + ", ran " + time(c.ns) +
		" on CPU " + c.cpu).join("; ");
}

/* What happened meanwhile, as sentences. */
function meanwhile(w) {
	const said = [];
	const owner = w.owner ? short(w.owner) : "the owner";

	if (w.flags & BLAMED && w.starved)
		said.push("For " + time(w.starved) + " " + owner + " could have run, but " +
			(culpritWords(w) || "less urgent threads ran") + ".");
	if (w.flags & BLAMED && w.ran)
		said.push(owner + " itself ran " + time(w.ran) + (w.flags & BOOSTED ?
			" with the waiter's priority." : "."));
	for (let next = waits[w.chain], i = 0; next && i < 8; next = waits[next.chain], i++)
		said.push(short(next.tid) + " itself waited " + time(next.length) + " for " + locks[next.lock].name +
			heldBy(next, short(next.owner)) + ".");
	if (w.flags & BLAMED && w.slept)
		said.push("It slept for " + time(w.slept) + ".");
	if (w.flags & INVERSION)
		said.push(locks[w.lock].inherits === "no" ? "The lock does not inherit priority." : "");
	if (w.flags & BOOSTED && !(w.flags & BLAMED && w.ran))
		said.push("The owner inherited the waiter's priority.");
	if (w.how === RELEASE && w.asleep)
		said.push("Asleep for " + time(w.asleep) + " inside of the call.");
	if (result(w))
		said.push("Result: " + result(w) + ".");
	return said.filter(s => s).join(" ");
}

function sentence(w) {
	const lock = locks[w.lock];
	const who = thread(w.tid).label;

	if (w.how === WAIT)
		return who + " waited " + time(w.length) + " on " + lock.name + ".";
	if (w.how === RELEASE)
		return who + " was " + time(w.length) + " in a " +
			(w.flags & BROADCAST ? "broadcast" : "signal") + " of " + lock.name + ".";
	return who + " waited " + time(w.length) + " for " + lock.name +
		heldBy(w, thread(w.owner).label) + ".";
}

/* ---- elements ---- */

function make(tag, name, text) {
	const element = document.createElement(tag);

	if (name)
		element.className = name;
	if (text !== undefined)
		element.textContent = text;
	return element;
}

/* ---- rows ---- */

/* What is in one line of a row and does not overlap; `to` rises as `from` does. */
class Lane {
	constructor(kind) {
		this.kind = kind;
		this.from = [];
		this.to = [];
		this.item = [];
	}
	add(from, to, item) {
		this.from.push(from);
		this.to.push(to);
		this.item.push(item);
	}
	/* The first whose end is after @ns. */
	after(ns, low = 0) {
		let high = this.to.length;

		while (low < high) {
			const middle = (low + high) >> 1;

			if (this.to[middle] <= ns)
				low = middle + 1;
			else
				high = middle;
		}
		return low;
	}
}

/* As many as are needed for @list, which is ordered by its begin. */
function lanesOf(list, kind) {
	const lanes = [];

	for (const w of list) {
		let lane = lanes.find(l => l.to[l.to.length - 1] <= w.since);

		if (!lane)
			lanes.push(lane = new Lane(kind));
		lane.add(w.since, w.until, w.index);
	}
	return lanes;
}

/* None is like a colour that means something: red, orange, green, violet. */
const palette = ["#3f74b5", "#2b8f96", "#9c6245", "#86822b", "#b0568f", "#5b68c9", "#4b8fb3", "#7d5a74", "#7a6a55",
	"#5d7a8c"];
const colors = new Map();
const rows = []; /* {group, key, title, note, color, top, height, lines: [{lane, y, height}]} */

function addRow(row, lines, gap) {
	let y = 5;

	row.lines = lines.map(([lane, height]) => {
		const line = {lane, y, height};

		y += height + gap;
		return line;
	});
	row.height = Math.max(34, y - gap + 5);
	rows.push(row);
}

const byLock = new Map(), byThread = new Map(), ofThread = new Map(), ofCpu = new Map();
const push = (map, key, value) => {
	const list = map.get(key);

	if (list)
		list.push(value);
	else
		map.set(key, [value]);
};
for (const w of waits) {
	push(byLock, w.lock, w);
	push(byThread, w.tid, w);
}
const boostsOf = new Map();
for (const b of boosts.slice().sort((a, b) => a.ns - b.ns))
	push(boostsOf, b.whom, b);
slices.forEach((s, i) => {
	push(ofThread, s[0], i);
	if (s[1] >= 0)
		push(ofCpu, s[1], i);
});

function threadOrder() {
	/* First those of the program. */
	return data.threads.filter(t => t.told).sort((a, b) =>
		b.traced - a.traced || a.pid - b.pid || b.urgency - a.urgency || a.tid - b.tid);
}

function sliceLane(list, kind) {
	const lane = new Lane(kind);
	let done = 0;

	for (const i of list) {
		const from = Math.max(slices[i][3], done), to = slices[i][3] + slices[i][4];

		if (to >= from) {
			lane.add(from, to, i);
			done = to;
		}
	}
	return lane;
}

function makeRows() {
	const told = threadOrder();
	const process = pid => pid === data.pid ? "" : ", process " + pid;

	told.forEach((t, i) => colors.set(t.tid, palette[i % palette.length]));
	if (byLock.size)
		rows.push({group: true, title: "Locks", height: 24, lines: []});
	const worst = new Map([...byLock].map(([l, list]) => [l, list.filter(w => w.flags & INVERSION).length]));
	/* Words of which nothing is known come last. */
	[...byLock.keys()].sort((a, b) => worst.get(b) - worst.get(a) ||
		(locks[a].type === "word") - (locks[b].type === "word") ||
		byLock.get(b).length - byLock.get(a).length || a - b).forEach(l => {
		const list = byLock.get(l), bad = worst.get(l);
		const lanes = lanesOf(list, "lock");
		const height = lanes.length <= 4 ? 24 : lanes.length <= 12 ? 14 : lanes.length <= 40 ? 6 : 3;

		addRow({key: "lock-" + l, title: locks[l].name, bad: bad ? plural(bad, "inversion") : "",
			note: inherits(locks[l]) + process(locks[l].pid) + " \u00b7 " + plural(list.length, "wait")},
		       lanes.map(lane => [lane, height]), height > 6 ? 2 : 1);
	});
	if (told.length)
		rows.push({group: true, title: "Threads", height: 24, lines: []});
	for (const t of told) {
		const lines = [];
		const list = byThread.get(t.tid) || [];
		const bad = inversions.filter(w => w.owner === t.tid).length;

		if (data.from_kernel)
			lines.push([sliceLane(ofThread.get(t.tid) || [], "thread"), 19]);
		lanesOf(list, "strip").forEach((lane, i) => lines.push([lane, i ? 5 : 15]));
		addRow({key: "thread-" + t.tid, tid: t.tid, title: t.label, color: colors.get(t.tid),
			bad: bad ? "owner in " + plural(bad, "inversion") : "",
			note: list.length ? plural(list.length, "wait") + process(t.pid) : "no waits" + process(t.pid)},
		       lines, 2);
	}
	if (ofCpu.size)
		rows.push({group: true, title: "Processors", height: 24, lines: []});
	for (const cpu of [...ofCpu.keys()].sort((a, b) => a - b)) {
		const list = ofCpu.get(cpu).sort((a, b) => slices[a][3] - slices[b][3]);

		addRow({key: "cpu-" + cpu, title: "CPU " + cpu, note: "who ran"}, [[sliceLane(list, "cpu"), 24]], 2);
	}
	let top = 0;
	for (const row of rows) {
		row.top = top;
		top += row.height;
	}
	return top;
}

const height = makeRows();
const rowOf = new Map(rows.map(r => [r.key, r]));

function showLabels() {
	for (const row of rows) {
		const element = make("div", row.group ? "row group" : "row");

		element.style.height = row.height + "px";
		row.element = element;
		if (row.group) {
			element.append(make("span", "", row.title));
		} else {
			const name = make("b", "", ""), note = make("span", "", "");

			element.id = row.key;
			element.title = row.title + (row.note ? "\n" + row.note : "");
			if (row.color) {
				const mark = make("i");

				mark.style.background = row.color;
				name.append(mark);
			}
			name.append(row.title);
			if (row.bad)
				note.append(make("em", "", row.bad), " \u00b7 ");
			note.append(row.note);
			element.append(name, note);
		}
		$("labels").append(element);
	}
	root.dataset.rows = rows.filter(r => !r.group).length;
}

/* ---- the view ---- */

const plot = $("plot"), scroller = $("scroller"), map = $("map"), axis = $("axis");
const view = {from: 0, until: duration};
let width = 800, chosen = null, shown = 0; /* {row, line, index}; number of the inversion, or 0 */
let paint = {};

function setView(from, until) {
	const length = Math.min(Math.max(until - from, 20), Math.max(duration * 1.1, 20));

	from = Math.min(Math.max(from, -0.05 * duration), 1.05 * duration - length);
	if (length >= duration)
		from = (duration - length) / 2;
	view.from = from;
	view.until = from + length;
	draw();
}
function zoom(factor, at = (view.from + view.until) / 2) {
	setView(at - (at - view.from) * factor, at + (view.until - at) * factor);
}
function pan(part) {
	const by = (view.until - view.from) * part;

	setView(view.from + by, view.until + by);
}
function whole() {
	setView(-0.01 * duration, 1.01 * duration);
}
function zoomTo(from, to) {
	const margin = Math.max((to - from) * 0.18, 500);

	setView(from - margin, to + margin);
}

function readColors() {
	const style = getComputedStyle(root);

	paint = {};
	for (const name of ["text", "dim", "line", "grid", "soft", "panel", "inversion", "waits", "inherits",
			    "condvar", "release", "word", "other", "focus"])
		paint[name] = style.getPropertyValue("--" + name).trim();
	hatches.clear();
}

/* ---- drawing ---- */

const hatches = new Map();
function hatch(context, color) {
	if (!hatches.has(color)) {
		const tile = document.createElement("canvas"), scale = window.devicePixelRatio || 1;
		const size = 7 * scale;

		tile.width = tile.height = size;
		const c = tile.getContext("2d");
		c.strokeStyle = color;
		c.globalAlpha = 0.75;
		c.lineWidth = 1.6 * scale;
		c.beginPath();
		for (const shift of [-size, 0, size]) {
			c.moveTo(shift - 1, size + 1);
			c.lineTo(shift + size + 1, -1);
		}
		c.stroke();
		const pattern = context.createPattern(tile, "repeat");
		pattern.setTransform(new DOMMatrix().scale(1 / scale));
		hatches.set(color, pattern);
	}
	return hatches.get(color);
}

function waitColor(w) {
	return w.flags & INVERSION ? paint.inversion : w.flags & BOOSTED ? paint.inherits :
		w.how === WAIT ? paint.condvar : w.how === RELEASE ? paint.release :
		locks[w.lock].type === "word" ? paint.word : paint.waits;
}

/* Is it more urgent than it would be itself? Who changes its own priority, is not. */
function runsAs(s) {
	const list = boostsOf.get(s[0]);
	let last = null;

	for (let low = 0, high = list ? list.length : 0; low < high;) {
		const middle = (low + high) >> 1;

		if (list[middle].ns <= s[3]) {
			last = list[middle];
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return last && last.to === s[2] && (last.to > last.from || last.to > thread(s[0]).urgency) ?
		", boosted to " + urgencyWords(s[2]).replace("priority ", "") : "";
}

/* How an item of a lane looks: {fill, text, hatched, top} */
function look(kind, item) {
	if (kind === "lock" || kind === "strip") {
		const w = waits[item];

		return {fill: waitColor(w), text: () => kind === "lock" ? waitLabel(w) :
			(w.flags & INVERSION ? "inversion: " : "") + (w.how === RELEASE ?
				w.flags & BROADCAST ? "broadcasts " : "signals " :
				w.how === WAIT ? "waits on " : "waits for ") + locks[w.lock].name};
	}
	const s = slices[item];
	const fill = colors.get(s[0]) || paint.other;
	if (kind === "cpu")
		return {fill, text: () => short(s[0]) + runsAs(s), boosted: runsAs(s) !== ""};
	return {fill, hatched: s[1] < 0, boosted: runsAs(s) !== "",
		text: () => (s[1] < 0 ? "could run, has no processor" : "runs on CPU " + s[1]) + runsAs(s)};
}

const x = ns => (ns - view.from) / (view.until - view.from) * width;
const nsAt = px => view.from + px / width * (view.until - view.from);
let drawn = 0;

function fitted(context, text, room) {
	if (room < 24)
		return "";
	const size = context.measureText(text).width;
	if (size <= room)
		return text;
	const part = text.slice(0, Math.floor(text.length * room / size) - 1).trimEnd();
	return part.length > 1 ? part + "\u2026" : "";
}

function drawBar(context, lane, i, left, right, y, high) {
	const how = look(lane.kind, lane.item[i]);
	const wide = Math.max(right - left, 1);

	drawn++;
	context.fillStyle = how.hatched ? hatch(context, how.fill) : how.fill;
	if (wide < 4) {
		context.fillRect(left, y, wide, high);
		return;
	}
	context.beginPath();
	context.roundRect(left, y, wide - 0.5, high, Math.min(3, high / 3));
	context.fill();
	if (how.hatched) {
		context.strokeStyle = how.fill;
		context.lineWidth = 1;
		context.strokeRect(left + 0.5, y + 0.5, wide - 1.5, high - 1);
	}
	if (how.boosted) {
		context.fillStyle = paint.inherits;
		context.fillRect(left, y, wide - 0.5, 3);
	}
	if (high < 12)
		return;
	const from = Math.max(left, 0) + 5;
	const text = fitted(context, how.text(), Math.min(right, width) - from - 4);
	if (!text)
		return;
	if (how.hatched) { /* readable on its lines */
		context.fillStyle = paint.panel;
		context.fillRect(from - 3, y + 2, context.measureText(text).width + 6, high - 4);
	}
	context.fillStyle = how.hatched ? paint.text : "#fff";
	context.fillText(text, from, y + high / 2 + 0.5);
}

function drawLane(context, line, top) {
	const lane = line.lane, y = top + line.y;
	const pixel = (view.until - view.from) / width;
	let i = lane.after(view.from), bad = [];

	context.font = (line.height < 18 ? 11 : 12) + "px system-ui, 'DejaVu Sans', sans-serif";
	while (i < lane.from.length && lane.from[i] < view.until) {
		const left = x(lane.from[i]), right = x(lane.to[i]);

		if (right - left >= 1) {
			drawBar(context, lane, i, Math.max(left, -20), Math.min(right, width + 20), y, line.height);
			i++;
			continue;
		}
		drawBar(context, lane, i, Math.floor(left), Math.floor(left) + 1, y, line.height);
		/* What ends in the same pixel, is not seen. */
		i = lane.after(nsAt(Math.floor(left) + 1) - pixel * 1e-6, i + 1);
	}
	/* But inversions are: */
	if (lane.kind === "lock" || lane.kind === "strip")
		bad = badIn(lane);
	for (const j of bad) {
		const left = x(lane.from[j]), right = x(lane.to[j]);

		if (right > 0 && left < width && right - left < 4) {
			context.fillStyle = paint.inversion;
			context.fillRect(left - 1.5, y - 1, 3, line.height + 2);
			drawn++;
		}
	}
}

/* Of a lane: which of its items are inversions. Found once. */
function badIn(lane) {
	if (!lane.bad)
		lane.bad = lane.item.flatMap((item, i) => waits[item].flags & INVERSION ? [i] : []);
	return lane.bad;
}

/* From the thread that came to wait to the one that got its priority. */
function drawBoost(context, b, scroll) {
	const by = rowOf.get("thread-" + (b.wait >= 0 ? waits[b.wait].tid : b.by));
	const whom = rowOf.get("thread-" + b.whom);

	if (!by || !whom || by === whom || b.to <= b.from)
		return false;
	const down = whom.top > by.top, px = x(b.ns);
	const from = by.top + (down ? by.height - 6 : 6) - scroll;
	const to = whom.top + (down ? 4 : whom.height - 4) - scroll;
	const bend = 14 + Math.min(Math.abs(to - from) * 0.12, 26), tip = down ? -7 : 7;
	context.strokeStyle = context.fillStyle = paint.inherits;
	context.lineWidth = 2;
	context.beginPath();
	context.moveTo(px, from);
	context.bezierCurveTo(px - bend, from + (to - from) * 0.35, px - bend, from + (to - from) * 0.65, px, to + tip);
	context.stroke();
	context.beginPath();
	context.moveTo(px, to);
	context.lineTo(px - 5, to + tip * 1.3);
	context.lineTo(px + 4, to + tip * 1.3);
	context.fill();
	return true;
}

/* Who ran meanwhile, instead of the owner of the inversion that is shown. */
function drawGuilty(context, scroll) {
	const w = inversions[shown - 1];

	for (const c of w ? w.culprits : []) {
		const row = rowOf.get("thread-" + c.tid), line = row && row.lines[0];

		if (!line || line.lane.kind !== "thread")
			continue;
		for (let i = line.lane.after(w.since); i < line.lane.from.length && line.lane.from[i] < w.until; i++) {
			const left = x(Math.max(line.lane.from[i], w.since)), right = x(Math.min(line.lane.to[i], w.until));

			if (slices[line.lane.item[i]][1] < 0 || right < 0 || left > width)
				continue;
			context.strokeStyle = paint.inversion;
			context.lineWidth = 2.5;
			context.strokeRect(left, row.top - scroll + line.y - 1, Math.max(right - left, 1), line.height + 2);
		}
	}
}

/* Nice steps, at least @room pixels apart. */
function step(room) {
	const least = (view.until - view.from) * room / width;
	const power = 10 ** Math.floor(Math.log10(least));

	return [1, 2, 5, 10].map(n => n * power).find(s => s >= least);
}

function sized(canvas, wide, high) {
	const scale = window.devicePixelRatio || 1;

	if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(high * scale)) {
		canvas.width = Math.round(wide * scale);
		canvas.height = Math.round(high * scale);
	}
	const context = canvas.getContext("2d");
	context.setTransform(scale, 0, 0, scale, 0, 0);
	context.clearRect(0, 0, wide, high);
	context.textBaseline = "middle";
	return context;
}

function drawAxis() {
	const context = sized(axis, width, 30), by = step(95);

	context.font = "11.5px system-ui, 'DejaVu Sans', sans-serif";
	for (let at = Math.ceil(view.from / by) * by; at < view.until; at += by) {
		context.fillStyle = paint.line;
		context.fillRect(Math.round(x(at)), 22, 1, 8);
		context.fillStyle = paint.dim;
		const text = when(at, by), half = context.measureText(text).width / 2 + 3;
		context.textAlign = "center";
		context.fillText(text, Math.min(Math.max(x(at), half), width - half), 12);
	}
	const w = inversions[shown - 1];
	if (!w)
		return;
	context.fillStyle = paint.inversion;
	context.fillRect(x(w.since), 26, Math.max(x(w.until) - x(w.since), 2), 4);
}

function drawBack(context, high, scroll) {
	const by = step(95), w = inversions[shown - 1];

	context.fillStyle = paint.grid;
	for (let at = Math.ceil(view.from / by) * by; at < view.until; at += by)
		context.fillRect(Math.round(x(at)), 0, 1, high);
	for (const row of rows) {
		const y = row.top - scroll;

		if (y > high || y + row.height < 0)
			continue;
		context.fillStyle = row.group ? paint.soft : paint.grid;
		context.fillRect(0, row.group ? y : y + row.height - 1, width, row.group ? row.height : 1);
	}
	/* Outside of the trace there is nothing. */
	context.fillStyle = paint.soft;
	context.fillRect(0, 0, Math.max(x(0), 0), high);
	context.fillRect(x(duration), 0, Math.max(width - x(duration), 0), high);
	if (w) {
		context.globalAlpha = 0.11;
		context.fillStyle = paint.inversion;
		context.fillRect(x(w.since), 0, Math.max(x(w.until) - x(w.since), 2), high);
		context.globalAlpha = 1;
	}
}

function drawChosen(context, scroll) {
	if (!chosen)
		return;
	const {row, line, index} = chosen, lane = row.lines[line] && row.lines[line].lane;
	if (!lane || index < 0 || index >= lane.from.length)
		return;
	const left = Math.max(x(lane.from[index]), -5), right = Math.min(x(lane.to[index]), width + 5);
	context.strokeStyle = paint.text;
	context.lineWidth = 2;
	context.strokeRect(left - 1, row.top - scroll + row.lines[line].y - 1, Math.max(right - left, 1) + 2,
			   row.lines[line].height + 2);
}

let waiting = false, everything = false;
function draw() {
	root.dataset.from = Math.round(view.from);
	root.dataset.until = Math.round(view.until);
	if (!waiting)
		requestAnimationFrame(drawNow);
	waiting = true;
}

function drawNow() {
	const high = everything ? height : Math.min(scroller.clientHeight || height, height);
	const scroll = everything ? 0 : scroller.scrollTop;
	let arrows = 0;

	waiting = false;
	width = Math.max(plot.clientWidth, 50);
	plot.style.height = high + "px";
	const context = sized(plot, width, high);
	drawn = 0;
	drawBack(context, high, scroll);
	for (const row of rows) {
		if (row.top - scroll < high && row.top + row.height > scroll)
			row.lines.forEach(line => drawLane(context, line, row.top - scroll));
	}
	for (const b of boosts) {
		if (b.ns >= view.from && b.ns <= view.until && arrows < 250)
			arrows += drawBoost(context, b, scroll);
	}
	drawGuilty(context, scroll);
	drawChosen(context, scroll);
	drawAxis();
	drawMap();
	$("range").textContent = when(Math.max(view.from, 0), (view.until - view.from) / 100) + " \u2013 " +
		when(Math.min(view.until, duration), (view.until - view.from) / 100) +
		" (" + time(Math.min(view.until, duration) - Math.max(view.from, 0)) + ")";
	root.dataset.drawn = drawn;
	root.dataset.arrows = arrows;
}

/* All of the trace in one line: how many wait, inversions, and what of it is in view. */
let busy = null;
function drawMap() {
	const wide = Math.max(map.clientWidth, 50), context = sized(map, wide, 24);
	const at = ns => ns / duration * wide;

	if (!busy || busy.length !== Math.ceil(wide)) {
		busy = new Float64Array(Math.ceil(wide));
		for (const w of waits) {
			if (w.how === WAIT)
				continue;
			const last = Math.min(Math.floor(at(w.until)), busy.length - 1);
			for (let i = Math.max(Math.floor(at(w.since)), 0); i <= last; i++)
				busy[i]++;
		}
	}
	const most = Math.max(1, ...busy);
	context.fillStyle = paint.waits;
	context.globalAlpha = 0.55;
	busy.forEach((n, i) => n && context.fillRect(i, 22 - 18 * n / most, 1, 18 * n / most));
	context.globalAlpha = 1;
	context.fillStyle = paint.inversion;
	for (const w of inversions)
		context.fillRect(at(w.since), 2, Math.max(at(w.until) - at(w.since), 2), 20);
	const left = Math.max(at(view.from), 0), right = Math.min(at(view.until), wide);
	context.globalAlpha = 0.14;
	context.fillStyle = paint.focus;
	context.fillRect(left, 0, Math.max(right - left, 2), 24);
	context.globalAlpha = 1;
	context.strokeStyle = paint.focus;
	context.lineWidth = 1.5;
	context.strokeRect(left + 1, 1, Math.max(right - left - 2, 2), 22);
}

/* ---- what is under the pointer, and what is chosen ---- */

function find(px, py) {
	const y = py + scroller.scrollTop;
	const row = rows.find(r => y >= r.top && y < r.top + r.height);

	if (!row || row.group)
		return null;
	let line = row.lines.findIndex(l => y - row.top < l.y + l.height + 1);
	if (line < 0)
		line = row.lines.length - 1;
	if (line < 0)
		return null;
	const lane = row.lines[line].lane;
	/* The one there; else one that is less than three pixels away. */
	for (const reach of [0, 3]) {
		const i = lane.after(nsAt(px - reach));

		if (i < lane.from.length && lane.from[i] <= nsAt(px + reach))
			return {row, line, index: i};
	}
	return null;
}

/* [title, text] */
function describe({row, line, index}) {
	const lane = row.lines[line].lane, item = lane.item[index];
	const span = when(lane.from[index], 1e3) + " to " + when(lane.to[index], 1e3);

	if (lane.kind === "lock" || lane.kind === "strip") {
		const w = waits[item], number = inversionNumber.get(item);

		return [(number ? "Inversion " + number + ": " : "") + sentence(w),
			[meanwhile(w), w.site ? "In " + w.site + "." : "", "From " + span + "."].filter(t => t).join(" ")];
	}
	const s = slices[item];
	return [thread(s[0]).label + (s[1] < 0 ? " could run, and had no processor, for " : " ran on CPU " + s[1] +
		" for ") + time(s[4]) + (runsAs(s) || (s[2] >= 0 ? ", " + urgencyWords(s[2]) : "")), "From " + span + "."];
}

function choose(what) {
	if (chosen)
		chosen.row.element.classList.remove("here");
	chosen = what;
	$("details").replaceChildren();
	if (!what)
		$("details").append(make("span", "dim", "Point at something, or choose it, to see what is known of it."));
	if (what) {
		what.row.element.classList.add("here");
		if (what.index >= 0) {
			const [title, text] = describe(what);

			$("details").append(make("b", "", title), text);
		} else {
			$("details").append(make("b", "", what.row.title), what.row.note || "");
		}
	}
	draw();
}

function reveal(row) {
	if (row.top < scroller.scrollTop)
		scroller.scrollTop = row.top;
	else if (row.top + row.height > scroller.scrollTop + scroller.clientHeight)
		scroller.scrollTop = row.top + row.height - scroller.clientHeight;
}

function chooseWait(w, kind = "lock") {
	const row = rowOf.get("lock-" + w.lock);
	const line = row.lines.findIndex(l => l.lane.item.includes(w.index));

	reveal(row);
	choose({row, line, index: row.lines[line].lane.item.indexOf(w.index)});
}

function mark(number) {
	shown = number;
	document.querySelectorAll("#inversions li").forEach((li, i) => li.classList.toggle("here", i + 1 === number));
}

/* #inversion-1, #wait-17, #from-1000-2000 (nanoseconds) */
function follow() {
	const part = location.hash.match(/^#(inversion|wait|from)-(\d+)(?:-(\d+))?$/);

	if (!part)
		return;
	const number = Number(part[2]);
	const w = part[1] === "inversion" ? inversions[number - 1] : part[1] === "wait" ? waits[number] : null;
	if (part[1] === "from" && part[3])
		setView(number, Number(part[3]));
	if (!w)
		return;
	mark(inversionNumber.get(w.index) || 0);
	chooseWait(w);
	zoomTo(w.since, w.until);
}

function go(fragment) {
	if (location.hash === "#" + fragment)
		follow();
	else
		location.hash = fragment;
}

function nextInversion(by) {
	if (inversions.length)
		go("inversion-" + ((shown - 1 + by + inversions.length * 2) % inversions.length + 1));
}

/* ---- hands ---- */

function tipFor(event) {
	const box = plot.getBoundingClientRect(), tip = $("tip");
	const what = find(event.clientX - box.left, event.clientY - box.top);

	tip.hidden = !what;
	if (!what)
		return;
	const [title, text] = describe(what);
	tip.replaceChildren(make("b", "", title), text);
	const right = event.clientX + 16 + tip.offsetWidth > window.innerWidth;
	tip.style.left = Math.max(4, right ? event.clientX - tip.offsetWidth - 12 : event.clientX + 16) + "px";
	tip.style.top = Math.min(event.clientY + 18, window.innerHeight - tip.offsetHeight - 4) + "px";
}

function pointer() {
	let held = null;

	plot.addEventListener("pointerdown", event => {
		if (event.button)
			return;
		held = {x: event.clientX, from: view.from, until: view.until, moved: false};
		plot.setPointerCapture(event.pointerId);
	});
	plot.addEventListener("pointermove", event => {
		if (!held) {
			tipFor(event);
			return;
		}
		const by = (event.clientX - held.x) / width * (held.until - held.from);

		if (Math.abs(event.clientX - held.x) > 3)
			held.moved = true;
		if (held.moved) {
			$("tip").hidden = true;
			setView(held.from - by, held.until - by);
		}
	});
	const end = event => {
		if (held && !held.moved && event.type === "pointerup") {
			const box = plot.getBoundingClientRect();

			choose(find(event.clientX - box.left, event.clientY - box.top));
		}
		held = null;
	};
	plot.addEventListener("pointerup", end);
	plot.addEventListener("pointercancel", end);
	plot.addEventListener("pointerleave", () => $("tip").hidden = true);
	plot.addEventListener("dblclick", () => enter());
	plot.addEventListener("wheel", event => {
		const box = plot.getBoundingClientRect();

		event.preventDefault();
		if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
			pan((event.deltaX || event.deltaY) / width);
		else
			zoom(Math.exp(Math.max(-200, Math.min(200, event.deltaY)) / 300), nsAt(event.clientX - box.left));
	}, {passive: false});
	const jump = event => {
		const box = map.getBoundingClientRect();
		const at = (event.clientX - box.left) / box.width * duration, half = (view.until - view.from) / 2;

		if (event.buttons & 1)
			setView(at - half, at + half);
	};
	map.addEventListener("pointerdown", jump);
	map.addEventListener("pointermove", jump);
}

function enter() {
	if (!chosen || chosen.index < 0)
		return;
	const lane = chosen.row.lines[chosen.line].lane;

	zoomTo(lane.from[chosen.index], lane.to[chosen.index]);
}

function chooseRow(by) {
	const all = rows.filter(r => !r.group && r.lines.length);
	const now = chosen ? all.indexOf(chosen.row) : by > 0 ? -1 : all.length;
	const row = all[Math.min(Math.max(now + by, 0), all.length - 1)];

	if (!row)
		return;
	reveal(row);
	choose({row, line: 0, index: row.lines[0].lane.from.length ?
		Math.min(row.lines[0].lane.after(view.from), row.lines[0].lane.from.length - 1) : -1});
}

/* In all lines of the row, by time. */
function chooseItem(by) {
	if (!chosen)
		return;
	const all = chosen.row.lines.flatMap((l, line) => l.lane.from.map((from, index) => ({from, line, index})));

	all.sort((a, b) => a.from - b.from || a.line - b.line);
	const now = all.findIndex(a => a.line === chosen.line && a.index === chosen.index);
	const next = all[Math.min(Math.max(now + by, 0), all.length - 1)];
	if (!next)
		return;
	choose({row: chosen.row, line: next.line, index: next.index});
	const lane = chosen.row.lines[next.line].lane;
	if (lane.to[next.index] < view.from || next.from > view.until) {
		const half = (view.until - view.from) / 2;

		setView(next.from - half, next.from + half);
	}
}

function keys() {
	const does = {
		"ArrowLeft": () => pan(-0.15), "ArrowRight": () => pan(0.15), "a": () => pan(-0.15), "d": () => pan(0.15),
		"+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "w": () => zoom(1 / 1.5),
		"-": () => zoom(1.5), "s": () => zoom(1.5), "0": whole, "Home": whole,
		"ArrowUp": () => chooseRow(-1), "ArrowDown": () => chooseRow(1),
		",": () => chooseItem(-1), ".": () => chooseItem(1), "Enter": enter,
		"Escape": () => choose(null),
	};

	plot.addEventListener("keydown", event => {
		const act = event.ctrlKey || event.altKey || event.metaKey ? null : does[event.key];

		if (act) {
			event.preventDefault();
			act();
		}
	});
	document.addEventListener("keydown", event => {
		if (event.ctrlKey || event.altKey || event.metaKey || /SELECT|INPUT/.test(event.target.tagName))
			return;
		if (event.key === "i" || event.key === "I")
			nextInversion(event.key === "i" ? 1 : -1);
	});
	$("zoom-in").addEventListener("click", () => zoom(1 / 2));
	$("zoom-out").addEventListener("click", () => zoom(2));
	$("left").addEventListener("click", () => pan(-0.3));
	$("right").addEventListener("click", () => pan(0.3));
	$("whole").addEventListener("click", whole);
	$("next").addEventListener("click", () => nextInversion(1));
	$("next").disabled = !inversions.length;
}

/* ---- the words around it ---- */

const LISTED = 200;

function showHead() {
	const from = [data.from_kernel ? "the kernel" : "", data.from_preload ? "the preload" : ""].filter(f => f);
	const status = !data.ended ? "" : data.signal ? " \u00b7 ended by signal " + data.signal :
		data.exit ? " \u00b7 exit status " + data.exit : "";

	document.title = "rqpi trace: " + data.command;
	$("command").textContent = data.command;
	$("facts").textContent = [time(data.duration), plural(data.threads.filter(t => t.traced).length, "thread"),
		plural(byLock.size, "lock") + " with waits", plural(waits.length, "wait"),
		"events of " + (from.join(" and ") || "nobody")].join(" \u00b7 ") + status;
	const notes = [];
	if (data.no_kernel)
		notes.push("Without events of the kernel: " + data.no_kernel);
	if (data.no_preload)
		notes.push("Without events of the preload: " + data.no_preload);
	if (data.lost)
		notes.push(plural(data.lost, "event") + " got lost on the way: what is shown may not be all.");
	for (const note of notes)
		$("notes").append(make("p", "note", note));
}

function showVerdict() {
	const bad = inversions.length > 0;

	$("verdict").classList.toggle("bad", bad);
	$("verdict-title").textContent = !bad ? "No priority inversion in this trace" :
		plural(inversions.length, "priority inversion") + (inversions.length > 1 ? ", the longest " : ", ") +
		time(inversions[0].length);
	inversions.slice(0, LISTED).forEach((w, i) => {
		const li = make("li"), a = make("a", "", time(w.length));

		a.href = "#inversion-" + (i + 1);
		a.addEventListener("click", event => {
			event.preventDefault();
			go("inversion-" + (i + 1));
		});
		li.append(a, sentence(w) + " " + meanwhile(w));
		$("inversions").append(li);
	});
	if (inversions.length > LISTED)
		$("more-inversions").textContent = "and " + (inversions.length - LISTED) + " shorter ones: see Waits";
	if (inversions.some(w => locks[w.lock].inherits === "no"))
		$("advice").append("Make the lock inherit: ", make("code", "", "PTHREAD_PRIO_INHERIT"),
			" in its attributes, or run the program with ", make("code", "", "rqpi run --force-pi"), ".");
}

function showLegend() {
	const entry = (name, color, text, sign) => {
		const span = make("span"), mark = make("i", name, sign);

		if (color)
			mark.style.color = "var(--" + color + ")";
		span.append(mark, text);
		$("legend").append(span);
	};

	if (inversions.length)
		entry("", "inversion", "inversion: waits for one that is less urgent, and nothing is inherited");
	if (waits.some(w => !(w.flags & (INVERSION | BOOSTED)) && w.how !== WAIT && w.how !== RELEASE &&
		       locks[w.lock].type !== "word"))
		entry("", "waits", "waits");
	if (waits.some(w => w.flags & BOOSTED))
		entry("", "inherits", "waits, and the owner inherits");
	if (waits.some(w => w.how === WAIT))
		entry("", "condvar", "waits on a condition variable");
	if (waits.some(w => w.how === RELEASE))
		entry("", "release", "in a signal or broadcast");
	if (waits.some(w => w.how === FUTEX && locks[w.lock].type === "word"))
		entry("", "word", "waits for something else");
	if (data.from_kernel) {
		entry("runs", "", "runs, a colour a thread");
		entry("ready", "", "could run, has no processor");
	}
	if (boosts.length)
		entry("arrow", "", "gives its priority to", "\u2193");
}

function showSlept() {
	const list = waits.filter(w => w.how === RELEASE && w.asleep).sort((a, b) => b.asleep - a.asleep);

	if (!list.length)
		return;
	$("slept").hidden = false;
	$("slept-title").textContent = list.length + (list.length === 1 ? " signal or broadcast" : " signals and broadcasts") +
		" slept inside of a condition variable" + (list.length > 1 ? ", the longest " : ", ") +
		time(list[0].asleep);
	for (const w of list.slice(0, LISTED)) {
		const li = make("li"), a = make("a", "", time(w.asleep));

		a.href = "#wait-" + w.index;
		li.append(a, thread(w.tid).label + " slept in a " + (w.flags & BROADCAST ? "broadcast" : "signal") + " of " +
			locks[w.lock].name + (w.site ? ", in " + w.site : "") + ".");
		$("slept").querySelector("ol").append(li);
	}
}

let limit = LISTED;
function showWaits() {
	const lock = $("of-lock").value, body = document.createDocumentFragment();
	let list = lock === "" ? waits.slice() : waits.filter(w => w.lock === Number(lock));

	if ($("order").value === "length")
		list.sort((a, b) => b.length - a.length);
	for (const w of list.slice(0, limit)) {
		const tr = make("tr", w.flags & INVERSION ? "bad" : ""), began = make("td"), a = make("a");

		a.textContent = when(w.since, 1e3);
		a.href = "#wait-" + w.index;
		began.append(a);
		tr.append(began, make("td", "", time(w.length)), make("td", "", thread(w.tid).label),
			make("td", "", locks[w.lock].name), make("td", "", !w.owner ? "" :
				(w.flags & INFERRED ? locks[w.lock].type === "word" ? "woken by " : "it seems " : "") +
				thread(w.owner).label),
			make("td", "", (w.flags & INVERSION ? "Inversion. " : "") + meanwhile(w)));
		body.append(tr);
	}
	$("waits").tBodies[0].replaceChildren(body);
	$("more-waits").hidden = list.length <= limit;
	$("waits-shown").textContent = list.length > limit ? limit + " of " + list.length : plural(list.length, "wait");
}

function showFilter() {
	$("of-lock").append(new Option("all locks", ""));
	for (const l of byLock.keys())
		$("of-lock").append(new Option(locks[l].name, l));
	for (const id of ["of-lock", "order"])
		$(id).addEventListener("change", () => {
			limit = LISTED;
			showWaits();
		});
	$("more-waits").addEventListener("click", () => {
		limit += 500;
		showWaits();
	});
}

function printing(on) {
	everything = on && height < 12000;
	root.classList.toggle("printing", on);
	readColors();
	drawNow();
}

showHead();
showVerdict();
showSlept();
showLegend();
showFilter();
showWaits();
showLabels();
readColors();
pointer();
keys();
choose(null);
whole();
follow();
scroller.addEventListener("scroll", draw);
window.addEventListener("hashchange", follow);
new ResizeObserver(draw).observe(scroller);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
	readColors();
	draw();
});
window.addEventListener("beforeprint", () => printing(true));
window.addEventListener("afterprint", () => printing(false));
/* Also where nobody looks, as in a test. */
drawNow();
root.dataset.ready = "1";
})();
