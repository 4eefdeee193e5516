"""Helps several tests: clients that ask all the time, and a certificate."""
import subprocess
import threading

import weir


class Load:
    """Clients that ask all the time. Any error is a failure: none tries twice."""

    def __init__(self, clients):
        self.answered, self.failures = 0, []
        self.lock, self.ends = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]

    def asker(self, number):
        """A function that asks once, for the client of that number; it raises on any failure."""
        raise NotImplementedError

    def run(self, number):
        try:
            ask = self.asker(number)
            while not self.ends.is_set():
                ask()
                with self.lock:
                    self.answered += 1
        except Exception as error:  # noqa: BLE001  Whatever it is, the request was lost.
            with self.lock:
                self.failures.append(repr(error))

    def wait_for_more(self, count):
        goal = self.answered + count
        weir.wait_for(lambda: self.answered >= goal or self.failures, f"{count} more answers")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more(50)
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()


def certificate(folder, name):
    """Files of a new certificate for 127.0.0.1 and of its key."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"
