# SPDX-License-Identifier: Apache-2.0
"""The jobs of ci/run. A job is a function with the decorator of job.py."""
