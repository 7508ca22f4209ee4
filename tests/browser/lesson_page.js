// What a test asks of a page of JupyterLab (started with --LabApp.expose_app_in_browser=True).
window.lesson = {
  panel: null, // of the notebook
  sent: 0, // messages of widgets to the kernel
  unanswered: new Set(), // the ids of those on which the kernel still works
  errors: [], // of cells and of widgets' callbacks; the latter are in no cell's output

  // Wait for the notebook and its kernel, then run all cells; begun at once, awaited later.
  begin(name) {
    this.ran = this.open(name).then(() => this.runAll());
    this.ran.catch(() => {}); // whoever awaits it sees the error
  },

  async open(name) {
    await until(() => window.jupyterapp);
    await window.jupyterapp.restored;
    const panels = () => [...window.jupyterapp.shell.widgets("main")];
    await until(() => (this.panel = panels().find((widget) => widget.context?.path === name)));
    window.jupyterapp.shell.activateById(this.panel.id);
    await this.panel.context.ready;
    await this.panel.sessionContext.ready;
    const { kernel } = this.panel.sessionContext.session;
    kernel.anyMessage.connect((_, { msg, direction }) => direction === "send" && this.noteSent(msg));
    kernel.iopubMessage.connect((_, msg) => this.noteHeard(msg)); // after the page has dealt with it
  },

  noteSent({ header }) {
    if (header.msg_type !== "comm_msg") return;
    this.sent += 1;
    this.unanswered.add(header.msg_id);
  },

  noteHeard({ header, parent_header: parent, content }) {
    if (header.msg_type === "status" && content.execution_state === "idle") this.unanswered.delete(parent.msg_id);
    if (!["execute_request", "comm_msg"].includes(parent?.msg_type)) return; // a kernel's words on starting
    if (header.msg_type === "error") this.errors.push(`${content.ename}: ${content.evalue}`);
    if (header.msg_type === "stream" && content.name === "stderr") this.errors.push(content.text);
  },

  // By the command, not by the menu: a click is lost while the kernel is cold. Gives the number of cells not run.
  async runAll() {
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
    const cells = this.panel.content.widgets.filter((cell) => cell.model.type === "code");
    return cells.filter((cell) => !cell.model.executionCount).length;
  },

  // Bring a cell into view, as a reader does by scrolling: JupyterLab draws no cell far from the window.
  async show(id) {
    const { content } = this.panel;
    const place = content.widgets.findIndex((cell) => cell.model.id === id);
    content.activeCellIndex = place;
    await content.scrollToItem(place, "start");
    content.widgets[place].node.setAttribute("data-shown", id);
  },

  // Wait until the kernel has answered what was sent after the first `sent` messages, and the page has drawn it.
  async answered(sent, picture) {
    await until(() => this.sent > sent && !this.unanswered.size);
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    await picture.decode();
  },

  async shutDown() {
    await this.panel.sessionContext.shutdown();
  },
};

async function until(happened) {
  while (!happened()) await new Promise((next) => setTimeout(next, 20));
}
