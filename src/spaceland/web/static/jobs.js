// Orders, uploads, bars, questions: what goes to the server and what comes back.
const key = location.hash.slice(1);
const HEADER = "X-Spaceland-Key";

export async function call(path, body) {
  const options = { headers: { [HEADER]: key }, cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const reply = await fetch(path, options);
  const value = await reply.json();
  if (!reply.ok) throw new Error(value.error || "error " + reply.status);
  return value;
}

export async function fetchFile(job, name, kind) {
  const reply = await fetch(`/file?job=${job}&name=${name}`, { headers: { [HEADER]: key }, cache: "no-store" });
  if (!reply.ok) throw new Error((await reply.json()).error || "error " + reply.status);
  return kind === "blob" ? reply.blob() : reply.arrayBuffer();
}

// fetch cannot tell how much has been sent, so uploads go another way.
function upload(file, suffix, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/upload?suffix=" + encodeURIComponent(suffix));
    request.setRequestHeader(HEADER, key);
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onerror = () => reject(new Error("the upload was refused or cut off"));
    request.onload = () => {
      let value = {};
      try { value = JSON.parse(request.responseText); } catch { /* said below */ }
      if (request.status === 200) resolve(value.upload);
      else reject(new Error(value.error || "error " + request.status));
    };
    request.send(file);
  });
}

export function startJobs(page) {
  const { by, element, say } = page;
  let state = { jobs: [], models: [], suffixes: [] }, wanted = null, signature = "", asked = "";

  const settings = () => ({ frames: parseInt(by("frames").value, 10) || 8, scale: by("scale").value,
    objects: by("objects").value, scene: by("scene").value });

  async function order(body) {
    try {
      say("");
      wanted = (await call("/jobs", { ...settings(), ...body })).job;
      await poll();
    } catch (error) { say(error.message); }
  }

  async function take(file) {
    if (!file) return;
    const suffix = (/\.[a-z0-9]+$/i.exec(file.name) || [""])[0].toLowerCase();
    if (!state.suffixes.includes(suffix)) { say("Files of this kind are not taken; known: " + state.suffixes.join(", ")); return; }
    if (file.size > state.max_upload_bytes) { say(`The file is larger than ${state.max_upload_bytes / 1e9} GB.`); return; }
    const bar = by("sent");
    bar.hidden = false;
    try {
      const id = await upload(file, suffix, (share) => { bar.value = share; });
      await order({ upload: id, title: file.name });
    } catch (error) { say(error.message); }
    bar.hidden = true;
  }

  function steps(job) {
    const list = element("ol", null, "steps");
    const labels = job.steps.map((step) => step.label);
    for (const step of job.steps) {
      const line = element("li"), bar = element("progress");
      bar.max = step.total; bar.value = step.done;
      line.append(element("span", step.label), bar, element("span", step.seconds.toFixed(0) + " s", "time"));
      if (step.note && !step.over) line.append(element("span", step.note, "note"));
      list.append(line);
    }
    const last = job.planned.indexOf(labels[labels.length - 1]);
    for (const label of job.planned.slice(last + 1)) {
      if (labels.includes(label)) continue;
      const line = element("li", null, "later");
      line.append(element("span", label));
      list.append(line);
    }
    return list;
  }

  function button(text, act) {
    const made = element("button", text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  const tell = (path, job) => () => call(path, { job: job.id }).then(poll).catch((error) => say(error.message));
  const opened = new Set();

  function draw(job) {
    const item = element("li", null, "job" + (job.id === page.current() ? " chosen" : ""));
    item.dataset.state = job.state;
    item.dataset.job = job.id;
    const head = element("div", null, "head"), does = element("div", null, "does");
    const name = button(job.title, () => { if (job.state === "done") { page.open(job); poll(); } });
    name.className = "name";
    head.append(name, element("span", job.state, "state"));
    item.append(head);
    if (job.error) item.append(element("p", job.error, "error"));
    if (job.state !== "done") item.append(steps(job));
    if (job.lines.length) {
      const more = element("details");
      more.open = opened.has(job.id);
      more.addEventListener("toggle", () => { if (more.open) opened.add(job.id); else opened.delete(job.id); });
      more.append(element("summary", "what was done"), element("pre", job.lines.join("\n")));
      item.append(more);
    }
    if (job.state === "waiting" || job.state === "running") does.append(button("stop", tell("/stop", job)));
    if (job.state === "stopped" || job.state === "failed") does.append(button("resume", tell("/resume", job)));
    item.append(does);
    return item;
  }

  // Text with <OBJ012> turned into discs.
  function said(text, marks) {
    const line = element("p", null, "said");
    for (const part of text.split(/(<OBJ\d{1,6}>)/)) {
      const found = /^<OBJ(\d+)>$/.exec(part);
      if (found && marks.has(+found[1])) line.append(page.disc(+found[1])); else line.append(part);
    }
    return line;
  }

  function answers(job) {
    const marks = new Set(page.objects().map((thing) => thing.mark));
    by("answers").replaceChildren(...[...job.questions].reverse().map((question) => {
      const item = element("li");
      item.dataset.state = question.state;
      item.append(element("div", question.text || question.task, "asked"));
      if (question.error) item.append(element("p", question.error, "bad"));
      else if (!question.record) item.append(element("p", question.state, "soft"));
      else {
        const record = question.record;
        item.append(said(record.answer, marks));
        const facts = element("p", record.model + "; " + record.understood +
          (record.number === null ? "" : ", number " + record.number) +
          (record.unknown_ids.length ? "; unknown numbers " + record.unknown_ids.join(", ") : "") +
          (record.complete ? "" : "; cut off") + " ", "soft");
        record.objects.forEach((thing) => facts.append(page.disc(thing.mark), " " + thing.label + " "));
        item.append(facts);
      }
      return item;
    }));
  }

  function lightLast(job) {
    const done = job.questions.filter((question) => question.state === "done");
    const last = done[done.length - 1];
    const now = job.id + " " + (last ? last.id : "");
    if (now === asked) return;
    const fresh = asked.startsWith(job.id + " ");
    asked = now;
    if (!last || !fresh) return;
    page.clear();
    last.record.objects.forEach((thing) => page.pin(thing.mark, true));
    page.show();
  }

  async function poll() {
    state = await call("/state");
    by("nojobs").hidden = state.jobs.length > 0;
    const now = JSON.stringify([state.jobs, page.current()]);
    if (now !== signature) {
      signature = now;
      by("jobs").replaceChildren(...[...state.jobs].reverse().map(draw));
      const job = state.jobs.find((entry) => entry.id === page.current());
      if (job) { answers(job); lightLast(job); page.show(); }
    }
    const due = state.jobs.find((job) => job.id === wanted && job.state === "done");
    if (due) { wanted = null; page.open(due); }
    document.documentElement.dataset.ready = "yes";
  }

  async function keepPolling() {
    let wait = 400;
    try { await poll(); if (by("problem").dataset.lost) { say(""); delete by("problem").dataset.lost; } } catch (error) {
      wait = 2000;
      by("problem").dataset.lost = "yes";
      say(error instanceof TypeError ? "The server does not answer; is spaceland web still running?" : error.message);
    }
    setTimeout(keepPolling, wait);
  }

  const question = () => ({ job: page.current(), text: by("text").value, task: by("task").value, model: by("model").value,
    marks: ["caption", "distance"].includes(by("task").value) ? page.pinned().slice(0, 2) : [] });

  function prepareAsking() {
    by("task").replaceChildren(...state.tasks.map((task) => element("option", task)));
    by("model").replaceChildren(...state.models.map((model) => element("option", model)));
    by("model").hidden = by("send").hidden = !state.models.length;
    by("hint").textContent = state.models.length ? "For caption and distance click one or two numbers first."
      : "To get answers, start the page with a model: spaceland web --model openai:NAME@http://localhost:8000/v1";
  }

  by("order").addEventListener("submit", (event) => { event.preventDefault(); order({ source: by("source").value || "rooms:7" }); });
  by("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
  by("drop").addEventListener("keydown", (event) => { if (event.key === "Enter") by("file").click(); });
  document.addEventListener("dragover", (event) => { event.preventDefault(); by("drop").classList.add("over"); });
  document.addEventListener("dragleave", () => by("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => { event.preventDefault(); by("drop").classList.remove("over"); take(event.dataTransfer.files[0]); });
  by("ask").addEventListener("submit", async (event) => {
    event.preventDefault();
    try { say(""); await call("/ask", question()); by("text").value = ""; await poll(); } catch (error) { say(error.message); }
  });
  by("show").addEventListener("click", async () => {
    try {
      say("");
      const made = await call("/preview", question());
      by("request").textContent = made.text + "\n--- " + made.estimate + "\nNothing was sent.";
      by("request").hidden = false;
    } catch (error) { say(error.message); }
  });

  if (!key) { say("Open the address that the terminal shows: it ends with a key."); return; }
  poll().then(prepareAsking, (error) => say(error.message)).then(keepPolling);
}
