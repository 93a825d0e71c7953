"""``--cfg-options``, alike in every command that reads a config."""


def add_cfg_options(parser):
    """Add the option, whose value is a list of texts for ``load_config``.

    Args:
        parser (argparse.ArgumentParser): Of the command.
    """
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', metavar='KEY=VALUE',
        help="what is changed in the config: optim_wrapper.optimizer.lr=0.02, a list as [1,2] or 1,2, a dict, which is "
             "merged into what is there, as \"optim_wrapper.optimizer=dict(type='AdamW', lr=1e-3)\", an entry of a "
             "list as train_dataloader.dataset.transforms.0.prob=0.3; KEY=None is the value None; KEY=_delete_ leaves "
             "out an inherited key or an entry of a list, and KEY._delete_=True all that is inherited below KEY")
