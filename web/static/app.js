// Small conveniences. Every page works without them.
const root = document.documentElement;
const quietMs = 5000;

// Theme: follows the system until somebody chooses.
document.querySelector("[data-theme-switch]").addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  document.dispatchEvent(new Event("themechange"));
});

// Ctrl or Command with Enter submits. The Enter that confirms an input method's
// candidate must never do so; Safari reports that one only as key code 229.
document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("form[data-submit-keys]");
  if (!form || event.key !== "Enter") return;
  if (event.isComposing || event.keyCode === 229) {
    if (event.target.tagName === "INPUT") event.preventDefault();
  } else if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    form.requestSubmit();
  }
});

// A second press while the first is on its way would ask twice.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button.primary");
  if (button) setTimeout(() => (button.disabled = true));
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button.primary")) button.disabled = false;
});

// Warns as soon as a Chinese prompt meets a model that does not read Chinese.
const prompt = document.getElementById("prompt");
function warnAboutChinese() {
  const warning = document.querySelector("[data-chinese-warning]");
  if (warning) warning.hidden = !/\p{Script=Han}/u.test(prompt.value);
}
if (prompt) {
  prompt.addEventListener("input", warnAboutChinese);
  document.addEventListener("htmx:after:swap", warnAboutChinese);
  warnAboutChinese();
}

// Tells screen readers how a job stands when that changes, at most every five seconds.
let saidAt = -quietMs;
let saying;
function say() {
  const words = document.getElementById("panel")?.dataset.words;
  const voice = document.querySelector("[data-say]");
  if (!voice || !words || voice.textContent === words) return;
  clearTimeout(saying);
  saying = setTimeout(() => {
    voice.textContent = words;
    saidAt = performance.now();
  }, Math.max(0, saidAt + quietMs - performance.now()));
}
document.addEventListener("htmx:after:swap", say);
say();

// Tells how long drawing may still take, from the steps that were seen: the first may have
// waited for the model, so that counting begins with the one after it.
let steps = [];
function tellTimeLeft() {
  const place = document.querySelector("[data-progress]");
  if (!place) return (steps = []);
  const [progress, now] = [Number(place.dataset.progress), performance.now()];
  if (progress < steps.at(-1)?.progress) steps = [];
  if (progress !== steps.at(-1)?.progress) steps.push({ progress, now });
  const [, first, ...later] = steps;
  if (!later.length) return;
  const last = later.at(-1);
  const pace = (last.progress - first.progress) / (last.now - first.now);
  const left = Math.max(1, ((1 - last.progress) / pace - (now - last.now)) / 1000);
  const [words, number] = left < 100 ? [place.dataset.seconds, left] : [place.dataset.minutes, left / 60];
  place.textContent = words.replace("{}", Math.ceil(number));
}
document.addEventListener("htmx:after:swap", tellTimeLeft);
tellTimeLeft();

// Videos play by themselves, unless the visitor has asked for less motion.
function play() {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const video of document.querySelectorAll("video[data-plays]")) video.play().catch(() => {});
}
document.addEventListener("htmx:after:swap", play);
play();

// Copies the text of the element a button names; without clipboard access, selects it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.copied;
  } catch {
    getSelection().selectAllChildren(source);
  }
});
