// Painting a mask over the chosen picture. What is painted becomes the file of the mask's input,
// so that the form is sent as it would be without this.
const longSide = 1024;

function shownPicture() {
  const file = document.getElementById("image")?.files[0];
  const kept = document.querySelector(".picture .kept img");
  if (!file) return Promise.resolve(kept?.src);
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(file);
  });
}

async function openPainter() {
  const painter = document.getElementById("painter");
  if (!painter) return;
  const source = await shownPicture();
  painter.hidden = !source;
  if (!source) return;
  const [picture, canvas] = [painter.querySelector("img"), painter.querySelector("canvas")];
  picture.src = source;
  await picture.decode().catch(() => (painter.hidden = true));
  const shrink = Math.min(1, longSide / Math.max(picture.naturalWidth, picture.naturalHeight));
  canvas.width = Math.round(picture.naturalWidth * shrink);
  canvas.height = Math.round(picture.naturalHeight * shrink);
}

// The file that was painted, to be told from one that was chosen.
let painted;
function forgetPainted() {
  const input = document.getElementById("mask");
  if (painted && input?.files[0] === painted) input.value = "";
}

let last;
function stroke(canvas, event) {
  const scale = canvas.width / canvas.clientWidth;
  const here = [event.offsetX * scale, event.offsetY * scale];
  const pen = canvas.getContext("2d");
  pen.strokeStyle = "white";
  pen.lineCap = "round";
  pen.lineWidth = (document.getElementById("brush").value / 100) * canvas.width;
  pen.beginPath();
  pen.moveTo(...(last ?? here));
  pen.lineTo(...here);
  pen.stroke();
  last = here;
}

function handIn(canvas) {
  const mask = new OffscreenCanvas(canvas.width, canvas.height);
  const pen = mask.getContext("2d");
  pen.fillRect(0, 0, mask.width, mask.height);
  pen.drawImage(canvas, 0, 0);
  mask.convertToBlob().then((blob) => {
    const files = new DataTransfer();
    files.items.add(new File([blob], "mask.png", { type: "image/png" }));
    const input = document.getElementById("mask");
    input.files = files.files;
    painted = input.files[0];
  });
}

const canvasOf = (event) => event.target.closest?.("#painter canvas");
document.addEventListener("pointerdown", (event) => {
  const canvas = canvasOf(event);
  if (!canvas) return;
  canvas.setPointerCapture(event.pointerId);
  last = undefined;
  stroke(canvas, event);
});
document.addEventListener("pointermove", (event) => {
  const canvas = canvasOf(event);
  if (canvas && event.buttons) stroke(canvas, event);
});
document.addEventListener("pointerup", (event) => {
  const canvas = canvasOf(event);
  if (canvas) handIn(canvas);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("#painter button")) return;
  document.getElementById("mask").value = "";
  openPainter();
});
document.addEventListener("change", (event) => {
  if (event.target.id !== "image") return;
  forgetPainted();
  openPainter();
});
document.addEventListener("htmx:after:swap", openPainter);
openPainter();
