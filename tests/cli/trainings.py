"""What several tests of ``dlcli train`` share."""

from dlcli.nn.optimizers import SGD

QUICK = ["--set", "hidden_layers=[8]", "--set", "epochs=2", "--set", "batch_size=16"]


def diverge_after(monkeypatch, epochs):
    """Make the weights explode in the first step after some epochs."""
    step, steps = SGD.step, epochs * 4  # 50 images in batches of 16

    def explode(self, gradient, learning_rate):
        nonlocal steps
        step(self, gradient, learning_rate)
        if steps == 0:
            self.parameters *= 1e30
        steps -= 1

    monkeypatch.setattr(SGD, "step", explode)


DIVERGING = ("--set", "loss=mse", "--set", "output_activation=linear", "--set", "batch_size=16")
REMEDY = "lower learning_rate (now 0.1) or set gradient_clip"
