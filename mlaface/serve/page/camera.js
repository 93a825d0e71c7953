// One photograph from the camera, or null.
const dialog = document.getElementById('camera');
const view = document.getElementById('camera-view');
const said = document.getElementById('camera-said');
const take = document.getElementById('camera-take');

export async function takePhoto() {
  said.textContent = '';
  take.disabled = true;
  dialog.showModal();
  let stream = null;
  try {
    if (!navigator.mediaDevices) throw new Error('insecure');
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user', width: { ideal: 1280 } } });
    view.srcObject = stream;
    await view.play();
    take.disabled = false;
  } catch (error) {
    said.textContent = error.message === 'insecure'
      ? 'Browsers give the camera to https:// and to localhost only: choose a file instead.'
      : `The camera cannot be used (${error.name}): allow it in the browser, or choose a file instead.`;
  }
  return new Promise((done) => {
    const end = (photo) => {
      stream?.getTracks().forEach((track) => track.stop());
      view.srcObject = null;
      take.onclick = dialog.onclose = null;
      if (dialog.open) dialog.close();
      done(photo);
    };
    document.getElementById('camera-close').onclick = () => end(null);
    dialog.onclose = () => end(null);
    take.onclick = () => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [view.videoWidth, view.videoHeight];
      canvas.getContext('2d').drawImage(view, 0, 0);
      canvas.toBlob(end, 'image/jpeg', 0.92);
    };
  });
}
