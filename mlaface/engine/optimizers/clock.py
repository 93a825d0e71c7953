"""What the steps that a row has missed would have done to it, in constant time per row."""
import torch

BLOCK = 512


def _product(left, right):
    """Products of small square matrices, ``(..., n, n)`` each, by broadcasting: no BLAS call for 2x2."""
    return (left.unsqueeze(-1) * right.unsqueeze(-3)).sum(-2)


class RowClock:
    """Products ``A[t - 1] ... A[s]`` of the linear maps that a row without gradient undergoes in steps s to t - 1.

    Prefix products with an inverse would be one table, but the maps of momentum SGD have determinant ``mu``: their
    products lose all digits within some hundred steps. So the history is cut into blocks: each keeps the products
    from every one of its steps to its end, and one product from its end to the present block. Nothing is inverted,
    a product of contractions underflows only where its true value does, and a lookup is two gathers and one product.
    A step costs one small product over the present block.

    Args:
        matrix (Callable[[tuple[float, ...]], list[list[float]]]): Makes the (n, n) map of a step from its settings
            (learning rate, ...).
        size (int): n.
        device (torch.device | str): Where the tables live; that of the rows, so that lookups do not synchronise.
    """

    def __init__(self, matrix, size, device='cpu'):
        self.matrix, self.size, self.device = matrix, size, device
        self.settings = []
        self._suffix = self._identity(1, BLOCK)
        self._outer = self._identity(1)

    def _identity(self, *shape):
        eye = torch.eye(self.size, dtype=torch.float64, device=self.device)
        return eye.expand(*shape, self.size, self.size).clone()

    def __len__(self):
        """Steps taken."""
        return len(self.settings)

    def tick(self, setting):
        """Append one step.

        Args:
            setting (tuple[float, ...]): The step's settings, as ``matrix`` takes them.
        """
        setting = tuple(float(value) for value in setting)
        block, place = divmod(len(self), BLOCK)
        if block == len(self._suffix):
            self._suffix = torch.cat([self._suffix, self._identity(1, BLOCK)])
            self._close(block - 1)
        step = torch.tensor(self.matrix(setting), dtype=torch.float64).to(self.device, non_blocking=True)
        present = self._suffix[block, :place + 1]
        present.copy_(_product(step, present))
        self.settings.append(setting)

    def _close(self, block):
        """Carry every older product over a full block, and start the next from the identity."""
        carried = _product(self._suffix[block, 0], self._outer[:-1])
        self._outer = torch.cat([carried, self._identity(2)])

    def since(self, last):
        """The product of all steps from ``last`` to now, for each row.

        Args:
            last (Tensor): Step numbers ``(N,)``, int64, each between 0 and ``len(self)``.

        Returns:
            Tensor: Float64 ``(N, n, n)``; the identity where ``last == len(self)``.
        """
        outer = torch.cat([_product(self._suffix[-1, 0], self._outer[:-1]), self._identity(1)])
        suffix = self._suffix.flatten(0, 1)
        if len(self) == len(suffix):  # a row that is up to date points one past the last block
            outer, suffix = torch.cat([outer, self._identity(1)]), torch.cat([suffix, self._identity(1)])
        return _product(outer[last.div(BLOCK, rounding_mode='floor')], suffix[last])

    def history(self):
        """Settings of all steps, float64 ``(len(self), number of settings)``; ``restore`` reads them."""
        return torch.tensor(self.settings, dtype=torch.float64)

    def restore(self, history):
        """Take the steps of a saved history; the tables are bit for bit those of the clock that saved it.

        Args:
            history (Tensor): As ``history`` gives it.

        Returns:
            RowClock: This clock.
        """
        self.settings = [tuple(setting) for setting in history.tolist()]
        blocks = max(1, -(-len(self) // BLOCK))
        steps = self._identity(blocks, BLOCK)
        if self.settings:
            maps = torch.tensor([self.matrix(setting) for setting in self.settings], dtype=torch.float64)
            steps.view(-1, self.size, self.size)[:len(self)] = maps.to(self.device)
        self._suffix, self._outer = self._identity(blocks, BLOCK), self._identity(1)
        for place in range(min(BLOCK, len(self))):
            present = self._suffix[:, :place + 1]
            present.copy_(_product(steps[:, place, None], present))
        for block in range(blocks - 1):
            self._close(block)
        return self
