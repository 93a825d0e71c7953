"""What Prometheus is told; no name of a person, and no image, is among it."""
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (.005, .01, .02, .03, .05, .075, .1, .15, .2, .3, .5, .75, 1, 2, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts of one server.

    Args:
        queued (callable): Faces that wait for the network (int).
    """
    content_type = CONTENT_TYPE_LATEST

    def __init__(self, queued=lambda: 0):
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory and processor time, where the system tells them
        self.requests = Counter('mlaface_requests', 'Requests that were answered', ['endpoint', 'status'],
                                registry=registry)
        self.refused = Counter('mlaface_refused', 'Requests that were refused, by the code of the error', ['code'],
                               registry=registry)
        self.seconds = Histogram('mlaface_request_seconds', 'From the head of a request to the end of its answer',
                                 ['endpoint'], buckets=SECONDS, registry=registry)
        self.busy = Gauge('mlaface_requests_in_flight', 'Requests that are worked on or wait', registry=registry)
        Gauge('mlaface_faces_waiting', 'Faces that wait for the network', registry=registry).set_function(queued)
        self.faces = Counter('mlaface_faces_found', 'Faces that were found in images', registry=registry)
        self.batches = Histogram('mlaface_batch_faces', 'Faces of a forward pass', buckets=SIZES, registry=registry)
        self.network = Histogram('mlaface_network_seconds', 'Of a forward pass', buckets=SECONDS, registry=registry)
        self.searches = Histogram('mlaface_search_probes', 'Probes of a search', buckets=SIZES[:5], registry=registry)

    def answered(self, endpoint, status, seconds):
        """Count a request by its route (str), its status (int) and its time."""
        self.requests.labels(endpoint, str(status)).inc()
        self.seconds.labels(endpoint).observe(seconds)

    def text(self):
        """All of it as Prometheus reads it (bytes)."""
        return generate_latest(self.registry)
