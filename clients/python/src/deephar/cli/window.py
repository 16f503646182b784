"""A window that shows pictures, with Tk from the standard library: OpenCV's headless wheel has no windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deephar.cli.exits import Failure

if TYPE_CHECKING:
    import tkinter

    import numpy as np
    from numpy.typing import NDArray

NO_TK = "--show needs Tk, which this Python lacks: apt install python3-tk, or leave --show out and take -o out.mp4"
NO_DISPLAY = "--show needs a display ({}); leave it out and take -o out.mp4"
_OF_SCREEN = 0.9  # largest share of it


class Window:
    """A window. Whoever closes it, or presses q or Escape in it, makes `is_open` false.

    Args:
        title: In its frame.

    Raises:
        Failure: There is no Tk, or no display.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError:
            raise Failure(NO_TK) from None
        try:
            self._root = tkinter.Tk(className="deephar")
        except tkinter.TclError as error:
            raise Failure(NO_DISPLAY.format(error)) from None
        self.is_open = True
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._picture: tkinter.PhotoImage | None = None
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        for key in ("<q>", "<Escape>"):
            self._root.bind(key, lambda _: self.close())
        self._root.update()

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Shows a picture (H, W, 3) in RGB; one that is larger than the screen is made smaller."""
        if not self.is_open:
            return
        import tkinter

        picture = self._fitted(picture)
        height, width = picture.shape[:2]
        data = b"P6 %d %d 255\n" % (width, height) + picture.tobytes()
        self._picture = tkinter.PhotoImage(master=self._root, data=data, format="PPM")  # Tk keeps no reference
        self._label.configure(image=self._picture)
        self.update()

    def update(self) -> None:
        """Lets the window answer keys and the mouse."""
        if self.is_open:
            self._root.update()

    def close(self) -> None:
        """Closes the window."""
        if self.is_open:
            self.is_open = False
            self._root.destroy()

    def _fitted(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        largest_width, largest_height = self._root.winfo_screenwidth(), self._root.winfo_screenheight()
        scale = min(1.0, _OF_SCREEN * largest_width / width, _OF_SCREEN * largest_height / height)
        if scale == 1.0:
            return picture
        import cv2

        smaller: NDArray[np.uint8] = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return smaller
