"""What every run shares: scope, runner, environment. Hooks are the runner's own unless a config changes them."""
default_scope = 'mlaface'
runner_type = 'FaceRunner'
env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
load_from = None
resume = False
